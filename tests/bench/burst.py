"""5,000 messages at once through the real broker: `python -m tests.bench.burst`.

500 sensor boards send 10 messages each, within what one board may: every message carries an edge
(motion began or ended) and a level (a temperature). Counted in the journal afterwards: edges that
are there once and in their board's order, lost, doubled. Levels are thinned to one a second by
design. The lamp follows what the room concludes of all boards, so it moves seldom. Peer: the same
5,000 messages to a client that only counts them.
"""

import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import msgspec

from edge.contracts.signals import MotionChanged, NodeReading, decode_signal
from edge.contracts.topics import NODE
from edge.journal import open_reader
from edge.process.link import Link
from tests.bench._room import running, tell, write_room
from tests.world.mosquitto import Mosquitto
from tests.world.probes import wait_for

BOARDS = tuple(f"board{number}" for number in range(500))
EACH = 10
COUNT = len(BOARDS) * EACH
QUIET_S = 5.0


def payload(turn: int) -> bytes:
    return msgspec.json.encode({"occupancy": turn % 2 == 0, "temperature": 20.0 + turn / 10})


class Counter:
    """The peer: takes the same messages and does nothing with them."""

    def __init__(self, broker: Mosquitto) -> None:
        self.link = Link("counter", broker.broker)
        self.count = 0
        self.all_there = threading.Event()
        self.link.subscribe(NODE.filter(room="peer"), self._hear, 0)
        self.link.start()
        wait_for("the counter's link", lambda: self.link.connected, 5)

    def _hear(self, *_: object) -> None:
        self.count += 1
        if self.count == COUNT:
            self.all_there.set()


def send(link: Link, room: str) -> float:
    """Publish everything as fast as it goes; return when that began."""
    began = time.monotonic()
    for turn in range(EACH):
        body = payload(turn)
        for board in BOARDS:
            assert link.publish(NODE.name(room=room, node=board), body, qos=0)
    return began


def edges(journal: Path, after: int) -> tuple[dict[str, list[bool]], int, int]:
    """Return each board's edges in the journal's order, the levels, and the last row's seq."""
    found: dict[str, list[bool]] = defaultdict(list)
    levels = 0
    with open_reader(journal) as reader:
        for row in reader.read(after):
            if row.kind == "signal" and row.body is not None:
                signal = decode_signal(row.body)
                if isinstance(signal, MotionChanged):
                    found[signal.source].append(signal.active)
                levels += isinstance(signal, NodeReading)
            after = row.seq
    return found, levels, after


def wait_for_edges(journal: Path) -> float:
    """Return when the last edge was seen durable: all are there, or nothing came for QUIET_S."""
    after, count, seen_at = 0, 0, time.monotonic()
    while count < COUNT and time.monotonic() - seen_at < QUIET_S:
        found, _, after = edges(journal, after)
        if found:
            count += sum(map(len, found.values()))
            seen_at = time.monotonic()
        time.sleep(0.02)
    return seen_at


def main() -> None:
    with Mosquitto() as broker, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sender = Link("bench-sender", broker.broker)
        sender.start()
        wait_for("the sender's link", lambda: sender.connected, 5)
        counter = Counter(broker)
        began = send(sender, "peer")
        counter.all_there.wait(30)
        peer = counter.count / (time.monotonic() - began)
        counter.link.stop()
        config, health = write_room(folder, broker.port, BOARDS)
        with running(config, health):
            began = send(sender, "bench")
            ended = wait_for_edges(folder / "room.journal")
        sender.stop()
        found, levels, _ = edges(folder / "room.journal", 0)
    expected = [turn % 2 == 0 for turn in range(EACH)]
    right = sum(EACH for board in BOARDS if found[f"node:{board}"] == expected)
    journaled = sum(map(len, found.values()))
    tell("burst of 5,000 edges: in the journal once and in order", right, "edges")
    tell("burst of 5,000 edges: lost", max(0, COUNT - journaled), "edges")
    tell("burst of 5,000 edges: doubled", max(0, journaled - COUNT), "edges")
    tell("burst of 5,000 edges: levels kept beside them", levels, "levels")
    rate = journaled / (ended - began)
    tell("burst of 5,000 edges to durable", rate, "edges/s", "a client that counts", peer)


if __name__ == "__main__":
    main()
