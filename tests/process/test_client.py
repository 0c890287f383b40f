"""The short way out: the same bytes as paho's, in order, and what it may not take is paho's."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client import CollectorRegistry, Counter

from edge.process.client import PACKET_LIMIT, Broker, Client, make_client
from edge.process.counting import counting
from edge.process.link import Link
from edge.process.packets import Message, publish_packet, read_message
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until

MID = st.integers(1, 65535)


def pahos(*given: object) -> bytes:
    """Return the packet that paho itself makes."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client._sock = object()  # type: ignore[assignment]
    client._on_socket_register_write = lambda *_: None
    client._send_publish(*given)  # type: ignore[arg-type]
    client._sock = None
    return bytes(client._out_packet[-1]["packet"])


@given(
    MID,
    st.binary(min_size=1, max_size=300),
    st.binary(max_size=300) | st.integers(0, 40_000).map(bytes),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
)
def test_a_message_goes_out_as_paho_would_send_it(
    mid: int, topic: bytes, payload: bytes, qos: int, retain: bool, dup: bool
) -> None:
    given = (mid, topic, payload, qos, retain, dup)
    assert publish_packet(*given) == pahos(*given)


@pytest.mark.parametrize("size", [0, 1, 121, 122, 123, 16_377, 16_378, 2_097_145, 2_097_146])
def test_a_message_of_any_length_can_be_read_again(size: int) -> None:
    packet = publish_packet(1, b"a/b", b"x" * size, 0, False, False)
    assert read_message(packet, 0) == (Message("a/b", b"x" * size, False), len(packet))


class Wire:
    """A client on a socket whose other end the test holds."""

    def __init__(self) -> None:
        ours, self.far = socket.socketpair()
        ours.setblocking(False)
        self.client = make_client("c", Broker("h", 1), None)
        self.client._sock = ours
        self.client._on_socket_register_write = lambda *_: None  # as a session's
        self.answers: list[tuple[int, int]] = []
        self.client.on_answer = lambda *said: self.answers.append(said)

    def says(self, packet: bytes) -> None:
        """Hand the client an acknowledgement as paho does once it is whole."""
        self.client._in_packet["command"] = packet[0]
        self.client._in_packet["packet"] = bytearray(packet[2:])
        self.client._handle_pubackcomp("PUBACK")


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.client._sock = None
    wire.far.close()


def test_it_is_on_its_way_when_it_returns_and_the_brokers_word_comes_back(wire: Wire) -> None:
    mid = wire.client.send_now(b"a/b", b"on", 1, False)
    assert mid is not None
    assert wire.far.recv(100) == publish_packet(mid, b"a/b", b"on", 1, False, False)
    assert not wire.client.want_write()
    wire.says(bytes((0x40, 2)) + mid.to_bytes(2, "big"))
    refused = wire.client.send_now(b"a/b", b"on", 1, True)
    assert refused is not None
    wire.says(bytes((0x40, 4)) + refused.to_bytes(2, "big") + b"\x87\x00")
    assert wire.answers == [(mid, 0), (refused, 0x87)]
    assert wire.client.send_now(b"a/b", b"on", 0, False) is not None
    assert not wire.client._unanswered


@pytest.mark.parametrize(
    ("topic", "payload"),
    [(b"", b""), (b"a/+", b""), (b"a/#", b""), (b"x" * 65_536, b""), (b"a", bytes(PACKET_LIMIT))],
)
def test_what_may_be_refused_is_left_to_paho(wire: Wire, topic: bytes, payload: bytes) -> None:
    assert wire.client.send_now(topic, payload, 1, False) is None
    assert not wire.client._unanswered


def test_no_more_wait_for_an_answer_than_the_broker_is_asked_to_hold(wire: Wire) -> None:
    sent = [wire.client.send_now(b"a", b"", 1, False) for _ in range(30)]
    assert None not in sent[:20]
    assert sent[20:] == [None] * 10
    wire.says(bytes((0x40, 2)) + int(sent[3] or 0).to_bytes(2, "big"))
    assert wire.client.send_now(b"a", b"", 1, False) is not None
    assert wire.client.send_now(b"a", b"", 1, False) is None


def test_what_paho_holds_back_for_that_follows_when_there_is_room(wire: Wire) -> None:
    sent = [wire.client.send_now(b"a", b"", 1, False) for _ in range(20)]
    waiting = wire.client.publish("a", b"later", 1)
    wire.client.loop_write()
    packets = [publish_packet(mid or 0, b"a", b"", 1, False, False) for mid in sent]
    assert wire.far.recv(10_000) == b"".join(packets)
    wire.says(bytes((0x40, 2)) + int(sent[0] or 0).to_bytes(2, "big"))
    wire.client.loop_write()
    assert wire.far.recv(10_000) == publish_packet(waiting.mid, b"a", b"later", 1, False, False)
    wire.says(bytes((0x40, 2)) + waiting.mid.to_bytes(2, "big"))
    for mid in sent[1:]:
        wire.says(bytes((0x40, 2)) + int(mid or 0).to_bytes(2, "big"))
    assert wire.client._inflight_messages == 0
    assert len(wire.answers) == 20


def test_the_rest_of_a_message_goes_before_what_others_left_meanwhile(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = wire.client._sock_send

    def part(data: bytes) -> int:
        # Another thread subscribes just then: it does not wait for whoever publishes.
        wire.client._send_subscribe(False, [(b"new", paho.SubscribeOptions(0))])
        return send(data[:4])

    with monkeypatch.context() as slow:
        slow.setattr(wire.client, "_sock_send", part)
        mid = wire.client.send_now(b"topic", b"payload", 1, False)
    wire.client.loop_write()
    packet = publish_packet(mid or 0, b"topic", b"payload", 1, False, False)
    assert wire.far.recv(1000).startswith(packet + b"\x82")


def test_a_number_that_still_waits_is_not_given_again(wire: Wire) -> None:
    first = wire.client.send_now(b"a", b"", 1, False)
    assert first is not None
    wire.client._last_mid = first - 1
    assert wire.client.send_now(b"a", b"", 1, False) == first + 1
    wire.client._last_mid = first - 1
    assert wire.client._mid_generate() == first + 2


@pytest.mark.parametrize("qos", [0, 1])
def test_what_the_socket_does_not_take_follows_and_nothing_overtakes_it(
    wire: Wire, qos: int
) -> None:
    large = bytes(4_000_000)
    mid = wire.client.send_now(b"a", large, qos, False)
    assert mid is not None
    assert wire.client.want_write()
    assert wire.client.send_now(b"a", b"next", qos, False) is None
    whole = publish_packet(mid, b"a", large, qos, False, False)
    got = bytearray()

    def read() -> None:
        while len(got) < len(whole):
            got.extend(wire.far.recv(1 << 20))

    reader = threading.Thread(target=read)
    reader.start()
    until(lambda: not (wire.client.loop_write() or wire.client.want_write()))
    reader.join(10)
    assert bytes(got) == whole


def test_a_connection_that_is_gone_is_pahos_to_find(wire: Wire) -> None:
    wire.far.close()
    assert wire.client.send_now(b"a", b"", 1, False) is not None
    assert wire.client.want_write()
    wire.client._sock = None
    assert wire.client.send_now(b"a", b"", 1, False) is None


@pytest.mark.parametrize("said", [b"\x00\x09", b"\x00\x09\x10"])
def test_an_answer_to_nothing_we_sent_is_pahos(wire: Wire, said: bytes) -> None:
    wire.says(bytes((0x40, len(said))) + said)
    assert wire.answers == []


@pytest.mark.parametrize("said", [b"", b"\x01"])
def test_half_an_answer_is_no_answer(wire: Wire, said: bytes) -> None:
    mid = wire.client.send_now(b"a", b"", 1, False)
    with contextlib.suppress(Exception):  # paho's own, whatever it is: it ends the connection
        wire.says(bytes((0x40, len(said))) + said)
    assert (wire.answers, wire.client._unanswered) == ([], {mid})


def test_many_from_many_threads_arrive_once_and_are_answered_once() -> None:
    with Mosquitto(settings="max_queued_messages 0") as broker:
        heard: list[bytes] = []
        codes: list[int] = []
        reader, writer = Link("reader", broker.broker), Link("writer", broker.broker)
        reader.subscribe("a", lambda _topic, payload, _retained: heard.append(payload))
        for link in (reader, writer):
            link.start()
        until(lambda: reader.connected and writer.connected)
        parts = range(4)

        def write(part: int) -> None:
            for number in range(250):
                payload = b"%d-%d" % (part, number)
                # A connection takes a thousand and no more: who has more waits, as the uplink does.
                until(lambda p=payload: writer.publish("a", p, on_ack=codes.append))

        threads = [threading.Thread(target=write, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        until(lambda: len(codes) == len(heard) == 1000)
        assert sorted(heard) == sorted(b"%d-%d" % (p, n) for p in parts for n in range(250))
        for part in parts:
            mine = [int(said.split(b"-")[1]) for said in heard if said.startswith(b"%d-" % part)]
            assert mine == sorted(mine)
        assert set(codes) == {0}
        for link in (reader, writer):
            link.stop()


def test_counting_counts() -> None:
    registry = CollectorRegistry()
    counter = Counter("things", "Things.", ["kind"], registry=registry)
    one = counting(counter.labels("a"))
    one()
    one()
    assert registry.get_sample_value("things_total", {"kind": "a"}) == 2


def test_a_client_of_ours_is_what_is_made() -> None:
    assert isinstance(make_client("c", Broker("h", 1), None), Client)
