"""The link against a real broker: what comes back, what is dropped, what is told."""

import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from prometheus_client import REGISTRY

from edge.process.link import PAYLOAD_LIMIT, Broker, Link
from edge.process.session import Session
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until, within


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    with Mosquitto() as running:
        yield running


class Peer:
    """A link that keeps what it hears, stopped at the end."""

    def __init__(self, name: str, broker: Broker, *filters: str, **options: object) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self.health: list[tuple[str, str]] = []
        self.link = Link(
            name,
            broker,
            on_health=lambda *told: self.health.append(told),
            **options,  # type: ignore[arg-type]
        )
        for topic_filter in filters:
            self.link.subscribe(topic_filter, lambda *message: self.heard.append(message))

    def __enter__(self) -> "Peer":
        self.link.start()
        return self

    def up(self) -> "Peer":
        until(lambda: self.link.connected, what="link up")
        return self

    def payloads(self) -> list[bytes]:
        return [payload for _, payload, _ in self.heard]

    def __exit__(self, *_: object) -> None:
        self.link.stop()


def counted(link: str, outcome: str) -> float:
    labels = {"link": link, "outcome": outcome}
    return REGISTRY.get_sample_value("roomkeeper_mqtt_messages_total", labels) or 0.0


def test_a_message_arrives_and_is_acknowledged(broker: Mosquitto) -> None:
    codes: list[int] = []
    with Peer("reader", broker.broker, "a/+") as reader, Peer("writer", broker.broker) as writer:
        reader.up()
        writer.up()
        assert writer.link.publish("a/b", b"hello", on_ack=codes.append)
        until(lambda: reader.heard == [("a/b", b"hello", False)])
        until(lambda: codes == [0] or codes == [0x10])


def test_a_killed_broker_is_found_again_with_its_subscriptions(broker: Mosquitto) -> None:
    with Peer("reader", broker.broker, "a/b") as reader, Peer("writer", broker.broker) as writer:
        reader.up()
        writer.up()
        broker.kill()
        until(lambda: not writer.link.connected and not reader.link.connected)
        assert not writer.link.publish("a/b", b"nobody keeps this")
        broker.start()
        reader.up()
        writer.up()
        assert writer.link.publish("a/b", b"after")
        until(lambda: reader.payloads() == [b"after"])
        until(lambda: [health for health, _ in reader.health] == ["ok", "lost", "ok"])


def test_a_broker_away_at_start_is_reported_once_and_found_later() -> None:
    broker = Mosquitto()
    with Peer("early", broker.broker, "a") as early:
        until(lambda: len(early.health) == 1)
        assert early.health[0][0] == "lost"
        assert str(broker.port) in early.health[0][1]
        with broker:
            until(lambda: [health for health, _ in early.health] == ["lost", "ok"])


def test_a_huge_message_is_counted_and_dropped(broker: Mosquitto) -> None:
    before = counted("greedy", "too_large")
    with Peer("greedy", broker.broker, "a") as reader, Peer("writer", broker.broker) as writer:
        reader.up()
        writer.up()
        assert writer.link.publish("a", b"x" * 10_000_000)
        assert writer.link.publish("a", b"x" * (PAYLOAD_LIMIT + 1))
        assert writer.link.publish("a", b"x" * PAYLOAD_LIMIT)
        until(lambda: reader.heard, what="the message that fits")
        assert [len(payload) for payload in reader.payloads()] == [PAYLOAD_LIMIT]
        assert counted("greedy", "too_large") - before == 2


def test_a_handler_that_raises_is_counted_and_hurts_nobody(broker: Mosquitto) -> None:
    before = counted("brittle", "failed")

    def raises(_topic: str, _payload: bytes, _retained: bool) -> None:
        raise RuntimeError("as handlers do")

    with Peer("brittle", broker.broker) as reader, Peer("writer", broker.broker) as writer:
        reader.link.subscribe("a", raises)
        reader.link.subscribe("b", lambda *message: reader.heard.append(message))
        reader.up()
        writer.up()
        assert writer.link.publish("a", b"1")
        assert writer.link.publish("b", b"2")
        until(lambda: reader.payloads() == [b"2"])
        assert counted("brittle", "failed") - before == 1


def test_a_denied_publish_is_told_apart_from_success() -> None:
    codes: list[int] = []
    with (
        Mosquitto(acl="topic write allowed\n") as broker,
        Peer("writer", broker.broker) as writer,
    ):
        writer.up()
        assert writer.link.publish("denied", b"x", on_ack=codes.append)
        assert writer.link.publish("allowed", b"x", on_ack=codes.append)
        until(lambda: len(codes) == 2)
        assert codes[0] >= 0x80
        assert codes[1] < 0x80


def test_a_wrong_password_is_lost_with_the_brokers_reason() -> None:
    with Mosquitto(users={"room": "right"}) as broker:
        right = Broker("127.0.0.1", broker.port, "room", "right")
        wrong = Broker("127.0.0.1", broker.port, "room", "wrong")
        with Peer("right", right) as accepted, Peer("wrong", wrong) as refused:
            accepted.up()
            until(lambda: refused.health)
            assert not refused.link.connected
            assert "uthor" in refused.health[0][1]


def test_the_last_will_follows_a_stop_and_a_late_reader_sees_it(broker: Mosquitto) -> None:
    with Peer("witness", broker.broker, "presence") as witness:
        witness.up()
        with Peer("mortal", broker.broker, will=("presence", b"gone")) as mortal:
            mortal.up()
            assert mortal.link.publish("presence", b"here", retain=True)
        until(lambda: witness.payloads() == [b"here", b"gone"])
    with Peer("late", broker.broker, "presence") as late:
        late.up()
        until(lambda: late.heard)
        assert late.heard == [("presence", b"gone", True)]


def test_filters_added_later_are_heard_each_once(broker: Mosquitto) -> None:
    with Peer("reader", broker.broker, "a/b") as reader, Peer("writer", broker.broker) as writer:
        reader.up()
        writer.up()
        first, second = [], []
        reader.link.subscribe("c", lambda *message: first.append(message))
        reader.link.subscribe("c", lambda *message: second.append(message))
        # Behind the filters on the same connection: when it is back, the broker knows these.
        assert reader.link.publish("a/b", b"1")
        until(lambda: reader.heard)
        assert writer.link.publish("c", b"2")
        until(lambda: first and second)
        assert (len(first), len(second)) == (1, 1)


def test_publishing_from_handlers_acks_and_threads_at_once_never_locks_up(
    broker: Mosquitto,
) -> None:
    count = 400
    guard = threading.Lock()
    answered, acked = [], []
    with Peer("echo", broker.broker) as echo, Peer("writer", broker.broker, "back") as writer:

        def answer(_topic: str, payload: bytes, _retained: bool) -> None:
            with guard:
                answered.append(payload)
                echo.link.publish("back", payload, on_ack=ack)

        def ack(code: int) -> None:
            with guard:
                acked.append(code)

        def flood() -> None:
            for number in range(count):
                with guard:
                    echo.link.publish("noise", b"%d" % number, qos=number % 2, on_ack=ack)

        echo.link.subscribe("there", answer)
        echo.up()
        writer.up()
        flooding = threading.Thread(target=flood)
        flooding.start()
        for number in range(count):
            assert writer.link.publish("there", b"%d" % number)
        until(lambda: not flooding.is_alive(), 20)
        until(lambda: len(writer.heard) == count and len(acked) == count + count // 2)


def test_a_broker_that_gathers_small_packets_is_not_kept_waiting(broker: Mosquitto) -> None:
    """The broker acknowledges an answer, then holds the next question back until it knows that
    this arrived, which Linux by itself would tell it 40 ms later."""
    rounds: list[float] = []
    asker, answerer = Peer("asker", broker.broker), Peer("answerer", broker.broker)

    def ask(*_: object) -> None:
        rounds.append(time.monotonic())
        asker.link.publish("question", b"", qos=0)

    asker.link.subscribe("answer", ask)
    answerer.link.subscribe("question", lambda *_: answerer.link.publish("answer", b""))
    with answerer, asker:
        answerer.up()
        asker.up()
        ask()
        until(lambda: len(rounds) > 40)
    took = sorted(later - one for one, later in pairwise(rounds))
    assert took[20] < 0.03


def test_stop_is_quick_even_when_nobody_is_there() -> None:
    lonely = Link("lonely", Mosquitto().broker)
    lonely.start()
    with within(1.0):
        lonely.stop()


def test_a_session_that_has_ended_may_be_closed_by_who_still_holds_it() -> None:
    away = Mosquitto().broker
    session = Session("late", away, None, list, lambda _: None, lambda: None, lambda _: None)
    assert session.run(threading.Event()) != ""
    session.close()
