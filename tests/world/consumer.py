"""A stand-in for the service: stores a room's events in SQLite and says what it stored.

`python -m tests.world.consumer PORT ROOM DATABASE` is a process that can be killed.
"""

import queue
import sqlite3
import sys
import threading
from pathlib import Path

import msgspec

from edge.contracts import topics
from edge.contracts.wire import AckMessage, EventMessage
from edge.process.link import Broker, Link

GROUP = 500


class Consumer:
    """Applies each sequence once, in order; acknowledges after its own commit."""

    def __init__(self, broker: Broker, room: str, path: Path, name: str = "consumer") -> None:
        self._room = room
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        # No uniqueness: an event that is applied twice is seen in the table.
        self._db.execute("CREATE TABLE IF NOT EXISTS applied(sequence, id, data)")
        found = self._db.execute("SELECT max(sequence) FROM applied").fetchone()[0]
        self.stored = found or 0
        self._journal = ""
        self._queue: queue.Queue[EventMessage | None] = queue.Queue(10_000)
        self._link = Link(name, broker, on_up=self._acknowledge)
        self._link.subscribe(topics.EVENTS.name(room=room), self._take)
        self._thread = threading.Thread(target=self._run, name=name)

    def _take(self, _topic: str, payload: bytes, _retained: bool) -> None:
        event = msgspec.json.decode(payload, type=EventMessage)
        self._journal = event.journal
        self._queue.put(event)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            while len(group) < GROUP and not self._queue.empty():
                event = self._queue.get()
                if event is None:
                    return
                group.append(event)
            self._store(group)
            self._acknowledge()

    def _store(self, group: list[EventMessage]) -> None:
        stored = self.stored
        self._db.execute("BEGIN IMMEDIATE")
        for event in group:
            if event.sequence == stored + 1:
                stored += 1
                data = msgspec.json.encode(event.data).decode()
                self._db.execute("INSERT INTO applied VALUES (?,?,?)", (stored, event.id, data))
        self._db.execute("COMMIT")
        self.stored = stored

    def _acknowledge(self) -> None:
        ack = AckMessage(self._room, self.stored, self._journal)
        self._link.publish(topics.ACK.name(room=self._room), msgspec.json.encode(ack), retain=True)

    def __enter__(self) -> "Consumer":
        self._thread.start()
        self._link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._link.stop()
        self._queue.put(None)
        self._thread.join(5)
        self._db.close()


if __name__ == "__main__":
    with Consumer(Broker("127.0.0.1", int(sys.argv[1])), sys.argv[2], Path(sys.argv[3])):
        threading.Event().wait()
