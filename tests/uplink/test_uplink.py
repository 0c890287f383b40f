"""The uplink over a real broker to a consumer that stores, acknowledges, and dies."""

import contextlib
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge.contracts import topics
from edge.contracts.base import Now
from edge.contracts.signals import MachineChanged, Signal, SourceChanged
from edge.contracts.wire import (
    AckMessage,
    MachineReport,
    MachinesMessage,
    PresenceMessage,
    WantedMachine,
    WantedMessage,
)
from edge.journal import Journal, Row
from edge.process.link import Link
from edge.uplink import Uplink, presence_will
from edge.uplink.uplink import WINDOW
from tests.world.consumer import Consumer
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until

ROOT = Path(__file__).resolve().parents[2]


def numbered(number: int) -> Row:
    body = msgspec.json.encode({"number": number})
    return Row("signal", f"r1-1-{number}", Now(1e9, 1.0), body)


class Room:
    """A journal with an uplink, as the appliance wires them.

    What was sent is not sent again of itself, however long an answer takes, unless a test asks.
    """

    def __init__(
        self, broker: Mosquitto, path: Path, *, resend_s: float = 600.0, **options: object
    ) -> None:
        self.signals: list[Signal] = []
        self.journal = Journal(path)
        self.link = Link("room-r1", broker.broker, will=presence_will("r1"))
        self.uplink = Uplink(
            "r1",
            self.link,
            self.journal,
            self.signals.append,
            resend_s=resend_s,
            **options,  # type: ignore[arg-type]
        )
        self.journal.when_committed(self.uplink.poke)

    def write(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            self.journal.append([numbered(number)])

    def write_at_once(self, first: int, last: int) -> None:
        """Write rows that become durable together: the uplink sees all of them, or none."""
        self.journal.append([numbered(number) for number in range(first, last + 1)])

    def health(self, source: str) -> list[tuple[str, str]]:
        return [
            (signal.health, signal.reason)
            for signal in self.signals
            if isinstance(signal, SourceChanged) and signal.source == source
        ]

    def ack(self, sequence: int) -> AckMessage:
        return AckMessage("r1", sequence, self.journal.ident)

    def __enter__(self) -> "Room":
        self.journal.start()
        self.uplink.start()
        self.link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.uplink.stop()
        self.link.stop()
        self.journal.stop()


class Site:
    """The other end, where a test looks and speaks for the service."""

    def __init__(self, broker: Mosquitto) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self.link = Link("site", broker.broker)
        self.link.subscribe("roomkeeper/r1/+", lambda *message: self.heard.append(message))

    def say(self, topic: topics.Topic, message: msgspec.Struct | bytes) -> None:
        payload = message if isinstance(message, bytes) else msgspec.json.encode(message)
        assert self.link.publish(topic.name(room="r1"), payload, retain=True)

    def payloads(self, topic: topics.Topic) -> list[bytes]:
        return [payload for name, payload, _ in self.heard if name == topic.name(room="r1")]

    def sequences(self) -> list[int]:
        return [msgspec.json.decode(event)["sequence"] for event in self.payloads(topics.EVENTS)]

    def __enter__(self) -> "Site":
        self.link.start()
        until(lambda: self.link.connected)
        return self

    def __exit__(self, *_: object) -> None:
        self.link.stop()


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    with Mosquitto() as running:
        yield running


@contextlib.contextmanager
def consuming(broker: Mosquitto, path: Path) -> Iterator[Consumer]:
    """Have the other end hear what is sent: a broker keeps nothing for who is not there yet."""
    with Consumer(broker.broker, "r1", path) as consumer:
        until(lambda: consumer._link.connected)
        yield consumer


def applied(path: Path) -> list[tuple[int, str]]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT sequence, id FROM applied ORDER BY rowid").fetchall()


def expected(count: int) -> list[tuple[int, str]]:
    return [(number, f"r1-1-{number}") for number in range(1, count + 1)]


def test_rows_arrive_in_order_and_the_cursor_follows_the_store(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with (
        consuming(broker, tmp_path / "store.db"),
        Room(broker, tmp_path / "journal.db") as room,
    ):
        room.write(1, 1000)
        until(lambda: room.journal.cursor() == 1000)
        until(lambda: room.health("service"))
        assert room.health("broker:site") == [("ok", "")]
        assert room.health("service") == [("ok", "")]
    assert applied(tmp_path / "store.db") == expected(1000)


def test_puback_moves_nothing_and_the_window_bounds_what_is_sent(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with Site(broker) as site, Room(broker, tmp_path / "journal.db") as room:
        room.write_at_once(1, 2 * WINDOW)
        until(lambda: len(site.sequences()) == WINDOW)
        assert room.journal.cursor() == 0
        site.say(topics.ACK, room.ack(150))
        until(lambda: len(site.sequences()) == WINDOW + 150)
        assert room.journal.cursor() == 150
        assert site.sequences() == list(range(1, WINDOW + 151))


def test_a_window_that_is_nearly_full_is_filled_up_in_good_parts(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with Site(broker) as site, Room(broker, tmp_path / "journal.db") as room:
        room.write_at_once(1, WINDOW - 100)
        until(lambda: len(site.sequences()) == WINDOW - 100)
        room.write_at_once(WINDOW - 99, 2 * WINDOW)
        until(lambda: room.journal.head == 2 * WINDOW)
        site.say(topics.ACK, room.ack(50))
        until(lambda: len(site.sequences()) == WINDOW + 50)
        assert site.sequences() == list(range(1, WINDOW + 51))


def test_rows_that_cannot_be_read_yet_are_not_asked_for(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.journal.writer.LINGER_S", 60.0)
    with Site(broker) as site, Room(broker, tmp_path / "journal.db") as room:
        until(lambda: room.uplink._up)
        with room.journal.writing():
            room.journal.append([numbered(1)], lambda: None)
        assert (room.journal.head, room.journal.readable) == (1, 0)
        # Else it would look for them again and again.
        assert room.uplink._room_left() == 0
        assert room.journal.flush(5)
        assert room.journal.readable == 1
        until(lambda: site.sequences() == [1])


def test_silence_of_the_service_is_told_and_the_rows_are_sent_again(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with Site(broker) as site, Room(broker, tmp_path / "journal.db", resend_s=0.3) as room:
        room.write_at_once(1, 2)
        until(lambda: site.sequences()[:6] == [1, 2] * 3)
        assert room.health("service") == [("lost", "it does not confirm what it was sent")]
        site.say(topics.ACK, room.ack(2))
        until(lambda: room.health("service")[-1] == ("ok", ""))


def test_a_service_that_comes_back_is_sent_what_it_missed_at_once(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with Site(broker) as site, Room(broker, tmp_path / "journal.db", resend_s=600.0) as room:
        room.write(1, 3)
        until(lambda: site.sequences() == [1, 2, 3])
        site.say(topics.ACK, room.ack(0))
        until(lambda: site.sequences() == [1, 2, 3, 1, 2, 3])


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (AckMessage("r1", 99), "knows more rows"),
        (AckMessage("r1", -1), "not for this room"),
        (AckMessage("r2", 1), "not for this room"),
        (b"\xff\x00", "cannot be read"),
        (b'{"room":"r1","sequence":"many"}', "cannot be read"),
        (b'{"room":"r1","sequence":1e400}', "cannot be read"),
    ],
)
def test_an_acknowledgement_that_cannot_be_is_not_obeyed(
    broker: Mosquitto, tmp_path: Path, payload: msgspec.Struct | bytes, reason: str
) -> None:
    with Site(broker) as site, Room(broker, tmp_path / "journal.db") as room:
        room.write(1, 2)
        until(lambda: site.sequences() == [1, 2])
        if isinstance(payload, AckMessage):
            payload = msgspec.structs.replace(payload, journal=room.journal.ident)
        site.say(topics.ACK, payload)
        until(lambda: room.health("service"))
        assert room.health("service")[0][0] == "degraded"
        assert reason in room.health("service")[0][1]
        assert room.journal.cursor() == 0
        site.say(topics.ACK, room.ack(2))
        until(lambda: room.journal.cursor() == 2)


def test_what_was_stored_of_a_replaced_journal_moves_nothing(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with Site(broker) as site:
        with Room(broker, tmp_path / "lost.db") as room:
            room.write(1, 100)
            until(lambda: len(site.sequences()) == 100)
            site.say(topics.ACK, room.ack(100))
            until(lambda: room.journal.cursor() == 100)
        site.heard.clear()
        # The service's word for the old journal is retained; the new one has fewer rows, then more.
        with Room(broker, tmp_path / "new.db") as room:
            room.write(1, 50)
            until(lambda: len(site.sequences()) == 50)
            room.write(51, 150)
            until(lambda: len(site.sequences()) == 150)
            assert site.sequences() == list(range(1, 151))
            assert room.journal.cursor() == 0
            assert room.health("service") == []
            site.say(topics.ACK, room.ack(150))
            until(lambda: room.journal.cursor() == 150)


def test_a_service_that_lost_its_store_is_sent_everything_again(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with Room(broker, tmp_path / "journal.db", resend_s=1.0) as room:
        with consuming(broker, tmp_path / "store.db"):
            room.write(1, 100)
            until(lambda: room.journal.cursor() == 100)
        with consuming(broker, tmp_path / "other.db"):
            room.write(101, 110)
            until(lambda: len(applied(tmp_path / "other.db")) == 110)
            until(lambda: room.journal.cursor() == 110)
            until(lambda: room.health("service")[-1] == ("ok", ""))
        assert any("lost rows" in reason for _, reason in room.health("service"))
    assert applied(tmp_path / "other.db") == expected(110)


def test_presence_and_the_newest_wanted_are_retained_and_repeated(
    broker: Mosquitto, tmp_path: Path
) -> None:
    machine = WantedMachine("k", "m", "t", 1.0, 2.0, title="Secret")
    with Room(broker, tmp_path / "journal.db", version="1.2", wall=lambda: 5.0) as room:
        room.uplink.wanted(WantedMessage("r1", 1, 1.0))
        room.uplink.wanted(WantedMessage("r1", 2, 2.0, (machine,)))
        bare = msgspec.structs.replace(machine, title="")
        wanted = msgspec.json.encode(WantedMessage("r1", 2, 2.0, (bare,)))
        here = msgspec.json.encode(PresenceMessage("r1", True, 5.0, "1.2"))
        for again in (False, True):
            if again:
                broker.restart()
            with Site(broker) as site:
                until(lambda site=site: site.payloads(topics.WANTED)[-1:] == [wanted])
                until(lambda site=site: site.payloads(topics.PRESENCE)[-1:] == [here])
    with Site(broker) as site:
        until(lambda: b'"online":false' in b"".join(site.payloads(topics.PRESENCE)[-1:]))
    assert [health for health, _ in room.health("broker:site")][:3] == ["ok", "lost", "ok"]


def test_machines_come_back_as_a_signal_and_nonsense_does_not(
    broker: Mosquitto, tmp_path: Path
) -> None:
    report = MachineReport("k", "m", "t", "ready", 1.0, "127.0.0.1:80")
    with Site(broker) as site, Room(broker, tmp_path / "journal.db") as room:
        until(lambda: room.link.connected)
        site.say(topics.MACHINES, b'{"room":"r1","machines":[{"phase":"on fire"}]}')
        until(lambda: room.health("service"))
        site.say(topics.MACHINES, MachinesMessage("r2", 1.0, (report,)))
        site.say(topics.MACHINES, MachinesMessage("r1", 1.0, (report,)))
        until(lambda: MachineChanged("service", (report,)) in room.signals)
        changes = [signal for signal in room.signals if isinstance(signal, MachineChanged)]
        assert len(changes) == 1
        assert room.health("service")[0] == ("degraded", "its report on machines cannot be read")
        assert room.health("service")[-1] == ("ok", "")


def test_a_broker_that_refuses_the_rows_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    acl = "topic read #\ntopic write roomkeeper/r1/presence\n"
    with (
        Mosquitto(acl=acl) as broker,
        Room(broker, tmp_path / "journal.db", resend_s=0.2) as room,
    ):
        room.write(1, 1)
        until(lambda: room.health("broker:site")[-1:] and "refuses" in str(room.signals))
        assert room.journal.cursor() == 0


def test_nothing_is_lost_or_applied_twice_whatever_is_killed(
    broker: Mosquitto, tmp_path: Path
) -> None:
    count, chance, store = 6000, random.Random(1), tmp_path / "store.db"
    arguments = [sys.executable, "-m", "tests.world.consumer", str(broker.port), "r1", str(store)]
    consumer = subprocess.Popen(arguments, cwd=ROOT)
    try:
        with Room(broker, tmp_path / "journal.db", resend_s=1.0) as room:
            writing = threading.Thread(target=room.write, args=(1, count))
            writing.start()
            for number, victim in enumerate(["broker", "consumer", "both", "broker", "consumer"]):
                reached = number * 1000 + chance.randint(1, 900)
                until(lambda reached=reached: room.journal.cursor() >= reached, 30)
                if victim != "broker":
                    consumer.kill()
                    consumer.wait(5)
                if victim != "consumer":
                    broker.restart()
                if victim != "broker":
                    consumer = subprocess.Popen(arguments, cwd=ROOT)
            writing.join(30)
            until(lambda: room.journal.cursor() == count, 30)
    finally:
        consumer.kill()
        consumer.wait(5)
    assert applied(store) == expected(count)


def test_a_restarted_room_goes_on_where_the_service_is(broker: Mosquitto, tmp_path: Path) -> None:
    with consuming(broker, tmp_path / "store.db"):
        with Room(broker, tmp_path / "journal.db") as room:
            room.write(1, 100)
            until(lambda: room.journal.cursor() == 100)
        with Room(broker, tmp_path / "journal.db") as room, Site(broker) as site:
            assert room.journal.cursor() == 100
            room.write(101, 150)
            until(lambda: room.journal.cursor() == 150)
            assert not site.sequences() or min(site.sequences()) > 100
    assert applied(tmp_path / "store.db") == expected(150)
