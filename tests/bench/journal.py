"""Figures of the journal and the uplink: `python -m tests.bench.journal`, one JSON line each.

The peer of the journal is plain `sqlite3.executemany` with the same durability into one table: what
the disk and SQLite allow without hash chain, side table, memory bound and release.
"""

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.contracts.base import Now
from edge.journal import Journal, Row
from edge.process.link import Link
from edge.uplink import Uplink, presence_will
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until

BODY = json.dumps({"type": "reading", "source": "node:1", "text": "x" * 140}).encode()


def tell(figure: str, value: float, unit: str, peer: float | None = None) -> None:
    ratio = None if peer is None else round(value / peer, 3)
    line = {"figure": figure, "value": round(value, 3), "unit": unit, "peer": peer, "ratio": ratio}
    print(json.dumps(line), flush=True)


def row(number: int) -> Row:
    return Row("signal", f"r1-1-{number}", Now(1e9 + number, float(number)), BODY)


def plain_rows_per_second(folder: Path, batch: int, count: int) -> float:
    db = sqlite3.connect(folder / f"plain-{batch}.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE t(seq INTEGER PRIMARY KEY, id TEXT, wall REAL, body BLOB)")
    rows = [(number, f"r1-1-{number}", 1e9, BODY) for number in range(count)]
    began = time.perf_counter()
    for first in range(0, count, batch):
        db.execute("BEGIN")
        db.executemany("INSERT INTO t VALUES (?,?,?,?)", rows[first : first + batch])
        db.execute("COMMIT")
    elapsed = time.perf_counter() - began
    db.close()
    return count / elapsed


def journal_rows_per_second(folder: Path, batch: int, count: int) -> float:
    """Rows appended as fast as they are taken; the group is the journal's own choice above 1."""
    journal = Journal(folder / f"journal-{batch}.db")
    journal.start()
    rows = [row(number) for number in range(count)]
    began = time.perf_counter()
    for first in range(0, count, batch):
        journal.append(rows[first : first + batch])
        if batch == 1:
            journal.flush(10)
    assert journal.flush(60)
    elapsed = time.perf_counter() - began
    journal.stop()
    return count / elapsed


def release_latencies(folder: Path, count: int, per_second: float) -> list[float]:
    journal = Journal(folder / "latency.db")
    journal.start()
    taken: list[float] = []
    pause = threading.Event()
    for number in range(count):
        began = time.perf_counter()
        journal.append([row(number)], lambda began=began: taken.append(time.perf_counter() - began))
        pause.wait(1 / per_second)
    assert journal.flush(10)
    journal.stop()
    return sorted(taken)


@contextmanager
def consumer(broker: Mosquitto, store: Path) -> Iterator[None]:
    """A process of its own, as the service is."""
    arguments = [sys.executable, "-m", "tests.world.consumer", str(broker.port), "r1", str(store)]
    process = subprocess.Popen(arguments)
    try:
        yield
    finally:
        process.kill()
        process.wait(5)


def uplink_rows_per_second(folder: Path, count: int) -> float:
    with Mosquitto() as broker, consumer(broker, folder / "store.db"):
        journal = Journal(folder / "uplink.db")
        journal.start()
        for number in range(count):
            journal.append([row(number)])
        assert journal.flush(60)
        link = Link("room-r1", broker.broker, will=presence_will("r1"))
        uplink = Uplink("r1", link, journal, lambda _signal: None)
        journal.when_committed(uplink.poke)
        began = time.perf_counter()
        uplink.start()
        link.start()
        until(lambda: journal.cursor() == count, 120)
        elapsed = time.perf_counter() - began
        uplink.stop()
        link.stop()
        journal.stop()
    return count / elapsed


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="roomkeeper-bench-") as name:
        folder = Path(name)
        for batch, count in ((1, 3_000), (10, 30_000), (100, 60_000)):
            runs = [plain_rows_per_second(folder_of(folder, n), batch, count) for n in range(3)]
            peer = round(statistics.median(runs), 1)
            runs = [journal_rows_per_second(folder_of(folder, n), batch, count) for n in range(3)]
            tell(f"journal rows, batches of {batch}", statistics.median(runs), "rows/s", peer)
        taken = release_latencies(folder, 2_000, 500)
        tell("journal append to release p50", taken[len(taken) // 2] * 1e3, "ms")
        tell("journal append to release p99", taken[len(taken) * 99 // 100] * 1e3, "ms")
        tell("uplink to a store that commits", uplink_rows_per_second(folder, 20_000), "rows/s")


def folder_of(folder: Path, number: int) -> Path:
    made = Path(tempfile.mkdtemp(prefix=f"{number}-", dir=folder))
    made.mkdir(exist_ok=True)
    return made


if __name__ == "__main__":
    main()
