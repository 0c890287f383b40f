"""A room's journal row to the service's store and back: `python -m tests.bench.service`.

The room's real journal and uplink, a real broker, the real ingest process with its own database.
The clock runs from the append to the moment the room knows that the row is stored: two commits and
two ways through the broker. Peer: echo through the broker, twice, and two commits of plain SQLite,
taken in turn with it.
"""

import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from edge.contracts.base import Now
from edge.journal import Journal, Row
from edge.process.link import Link
from edge.uplink import Uplink, presence_will
from tests.bench._room import Clock, quantile, tell
from tests.cloud_bridge.service import Running, write_config
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until

SAMPLES = 150
PAUSE_S = 0.03
FLOOD = 10_000
ROOM = "bench"
BODY = b'{"type":"reading","source":"node:1","quantity":"temperature","value":21.0}'


class Stored(Journal):
    """A journal that notes when the service's word moved the cursor."""

    moved_at = 0.0

    def move_cursor(self, seq: int) -> bool:
        moved = super().move_cursor(seq)
        self.moved_at = time.monotonic()
        return moved


def row(number: int) -> Row:
    return Row("signal", f"{ROOM}-1-{number}", Now(time.time(), time.monotonic()), BODY)


def one_by_one(journal: Stored, echo: Clock, plain: sqlite3.Connection) -> None:
    ours, floor = [], []
    for number in range(SAMPLES):
        began = time.monotonic()
        # With a release, as a row has that something waits for.
        seq = journal.append([row(number)], lambda: None)
        until(lambda seq=seq: journal.cursor() >= seq, 20)
        ours.append((journal.moved_at - began) * 1e3)
        time.sleep(PAUSE_S)
        asked, answered = echo.ask("bench/echo", BODY)
        began = time.monotonic()
        plain.execute("INSERT INTO t VALUES (?, ?)", (number, BODY))
        commit = time.monotonic() - began
        floor.append(2 * ((answered - asked) / 1e6 + commit * 1e3))
        time.sleep(PAUSE_S)
    for label, part in (("p50", 0.5), ("p99", 0.99)):
        value = quantile(ours[10:], part)
        named = f"row appended to acknowledged by the service, {label}"
        tell(named, value, "ms", "two echoes, two commits", quantile(floor[10:], part))


def flood(journal: Stored) -> float:
    """Return rows a second, the room never waiting."""
    began = time.monotonic()
    for number in range(FLOOD):
        seq = journal.append([row(number)])
    until(lambda: journal.cursor() >= seq, 120)
    return FLOOD / (time.monotonic() - began)


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="roomkeeper-bench-") as name,
        Mosquitto(settings="max_queued_messages 0") as broker,
    ):
        folder = Path(name)
        plain = sqlite3.connect(folder / "plain.db", isolation_level=None)
        plain.execute("PRAGMA journal_mode=WAL")
        plain.execute("PRAGMA synchronous=FULL")
        plain.execute("CREATE TABLE t(seq INTEGER PRIMARY KEY, body BLOB)")
        journal = Stored(folder / "room.journal")
        link = Link(f"room-{ROOM}", broker.broker, will=presence_will(ROOM))
        uplink = Uplink(ROOM, link, journal, lambda _signal: None)
        journal.when_committed(uplink.poke)
        config = write_config(folder, broker.port, "qemu:///embed?root=unused")
        with Running("ingest", config):
            echo = Clock(broker, "bench-echo", "bench/echo")
            journal.start()
            uplink.start()
            link.start()
            first = journal.append([row(0)], lambda: None)
            until(lambda: journal.cursor() >= first, 30)
            one_by_one(journal, echo, plain)
            rates = [flood(journal) for _ in range(3)]
            tell(
                "rows appended to acknowledged, 10,000 at once", statistics.median(rates), "rows/s"
            )
            echo.close()
            uplink.stop()
            link.stop()
        journal.stop()
        plain.close()


if __name__ == "__main__":
    main()
