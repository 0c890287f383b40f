"""What rooms send, stored: validated, committed in groups, and only then acknowledged."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from uuid import UUID

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from cloud_bridge.store import EventStore, StoreError
from cloud_bridge.store.events import Batch, DeadLetter, Row, Snapshot
from edge.contracts import topics
from edge.contracts.wire import (
    AckMessage,
    EventMessage,
    PresenceMessage,
    WantedMachine,
    WantedMessage,
)
from edge.process.backoff import Backoff
from edge.process.link import Link

log = structlog.get_logger()

HEARD = Counter("roomkeeper_ingest_messages", "Messages, by kind and outcome.", ["kind", "outcome"])
STORED = Gauge("roomkeeper_ingest_stored", "Highest sequence stored without a gap.", ["room"])
COMMIT = Histogram("roomkeeper_ingest_commit_seconds", "Time to commit one group.")

QUEUE_LIMIT = 20_000
GROUP_LIMIT = 1000
WANTED_LIMIT = 500
"""Machines of one room's snapshot."""
LEAD_LIMIT_S = 7 * 86400.0
NAME_LIMITS = (1024, 1024, 128, 64)
"""Of meeting, title, template and owner, characters."""
SEQUENCE_LIMIT = 2**53

_events = msgspec.json.Decoder(EventMessage)
_wanted = msgspec.json.Decoder(WantedMessage)
_presence = msgspec.json.Decoder(PresenceMessage)

Item = Row | Snapshot | PresenceMessage | DeadLetter


class UnusableError(ValueError):
    """A message that is well-formed and still cannot be obeyed; the text says why."""


def read_event(room: str, payload: bytes) -> Row:
    """Return the journal row in `payload`; raise msgspec.MsgspecError or a ValueError."""
    event = _events.decode(payload)
    payload.decode()  # nothing else looks at fields that are not known, and a database would
    if not 1 <= event.sequence <= SEQUENCE_LIMIT:
        raise UnusableError(f"sequence {event.sequence}; allowed is 1 to {SEQUENCE_LIMIT}")
    if not event.id or len(event.id) > 256 or len(event.type) > 128:
        raise UnusableError("id of 1 to 256 characters and type of at most 128 expected")
    if len(event.journal) > 64:
        raise UnusableError("journal of at most 64 characters expected")
    return Row(room, event.sequence, event.id, event.type, payload, event.journal)


def read_wanted(room: str, payload: bytes) -> Snapshot:
    """Return the snapshot in `payload`; raise msgspec.MsgspecError or UnusableError."""
    message = _wanted.decode(payload)
    if message.room != room:
        raise UnusableError(f"it speaks for room {message.room!r}")
    if not 0 <= message.version <= SEQUENCE_LIMIT or not isfinite(message.at):
        raise UnusableError(f"version {message.version}, at {message.at}")
    if len(message.machines) > WANTED_LIMIT:
        raise UnusableError(f"{len(message.machines)} machines; allowed is {WANTED_LIMIT}")
    for machine in message.machines:
        _check_wanted(machine)
    return Snapshot(room, message.version, message.at, payload)


def _check_wanted(machine: WantedMachine) -> None:
    try:
        canonical = str(UUID(machine.key))
    except ValueError:
        canonical = ""
    if canonical != machine.key:
        raise UnusableError(f"machine key {machine.key!r} is no UUID in small letters")
    if not (isfinite(machine.start) and isfinite(machine.end) and machine.start < machine.end):
        raise UnusableError(f"machine {machine.key} from {machine.start} to {machine.end}")
    if not 0 <= machine.lead_s <= LEAD_LIMIT_S:
        raise UnusableError(f"machine {machine.key}: {machine.lead_s} s before the start")
    names = (machine.meeting, machine.title, machine.template, machine.owner)
    if any(len(name) > limit for name, limit in zip(names, NAME_LIMITS, strict=True)):
        raise UnusableError(f"machine {machine.key}: a name of it is too long")


def read_presence(room: str, payload: bytes) -> PresenceMessage:
    """Return the presence in `payload`; raise msgspec.MsgspecError or UnusableError."""
    message = _presence.decode(payload)
    if message.name != room:
        raise UnusableError(f"it speaks for room {message.name!r}")
    return message


@dataclass(frozen=True, slots=True)
class Kind:
    """One subscription: what is read from its topic."""

    name: str
    topic: topics.Topic
    read: Callable[[str, bytes], Item]


KINDS = (
    Kind("event", topics.EVENTS, read_event),
    Kind("wanted", topics.WANTED, read_wanted),
    Kind("presence", topics.PRESENCE, read_presence),
)


class Ingest:
    """Handlers on the link's thread read and queue; the thread "ingest" stores and acknowledges."""

    def __init__(
        self, link: Link, store: EventStore, wall: Callable[[], float] = time.time
    ) -> None:
        self._link = link
        self._store = store
        self._wall = wall
        self._queue: queue.Queue[Item | None] = queue.Queue(QUEUE_LIMIT)
        self._stop = threading.Event()
        self._greet = threading.Event()
        self._trouble = ""
        self._backoff = Backoff(first=0.1, cap=5.0)
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=False)
        for kind in KINDS:
            link.subscribe(kind.topic.filter(), self._handler(kind))
        link.when_up(self._link_up)

    def start(self) -> None:
        """Begin to store what the link hears."""
        self._thread.start()

    def stop(self) -> None:
        """Store what was heard and end, within 1 s; what is left unacknowledged is sent again."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def status(self) -> dict[str, object]:
        """Return health: well while connected and storing."""
        return {
            "ok": self._link.connected and not self._trouble,
            "broker": self._link.connected,
            "store": self._trouble or "ok",
            "waiting": self._queue.qsize(),
        }

    def _handler(self, kind: Kind) -> Callable[[str, bytes, bool], None]:
        def handle(topic: str, payload: bytes, _retained: bool) -> None:
            self._heard(kind, topic, payload)

        return handle

    def _heard(self, kind: Kind, topic: str, payload: bytes) -> None:
        item: Item
        try:
            item = kind.read(topic.split("/")[1], payload)
            outcome = "read"
        except (msgspec.MsgspecError, UnusableError, RecursionError, UnicodeDecodeError) as error:
            item, outcome = DeadLetter(topic, str(error), payload), "unusable"
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            # Nothing is acknowledged that is not stored: the room sends it again.
            outcome = "full"
        HEARD.labels(kind.name, outcome).inc()

    def _link_up(self) -> None:
        self._greet.set()
        self._wake()

    def _wake(self) -> None:
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            log.debug("queue is full, its reader is awake")

    def _run(self) -> None:
        batch: list[Item] = []
        while True:
            batch = batch or self._gather()
            if not batch and self._stop.is_set():
                return
            try:
                if self._greet.is_set():
                    self._greet.clear()
                    self._acknowledge(self._store.stored())
                if batch:
                    self._keep(batch)
                self._healthy()
                batch = []
            except StoreError as error:
                if not self._wait_after(str(error)):
                    return
            except Exception:
                # One message must not stop what all rooms depend on.
                log.exception("a group was not stored", messages=len(batch))
                HEARD.labels("group", "failed").inc()
                batch = []

    def _gather(self) -> list[Item]:
        """Return what waits, after waiting for the first of it for a moment."""
        items: list[Item | None] = []
        try:
            items.append(self._queue.get(timeout=0.2))
            while len(items) < GROUP_LIMIT:
                items.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return [item for item in items if item is not None]

    def _keep(self, items: list[Item]) -> None:
        batch = Batch(
            [item for item in items if isinstance(item, Row)],
            [item for item in items if isinstance(item, Snapshot)],
            [item for item in items if isinstance(item, PresenceMessage)],
            [item for item in items if isinstance(item, DeadLetter)],
        )
        with COMMIT.time():
            stored = self._store.keep(batch, self._wall())
        for letter in batch.dead:
            log.warning("message not obeyed", topic=letter.topic, reason=letter.reason)
        self._acknowledge(stored)

    def _acknowledge(self, stored: dict[tuple[str, str], int]) -> None:
        for (room, journal), sequence in stored.items():
            STORED.labels(room).set(sequence)
            payload = msgspec.json.encode(AckMessage(room, sequence, journal))
            if not self._link.publish(topics.ACK.name(room=room), payload, retain=True):
                # The next connection says it again for every room.
                self._greet.set()

    def _healthy(self) -> None:
        if self._trouble:
            log.info("storing again")
        self._trouble = ""
        self._backoff.reset()

    def _wait_after(self, trouble: str) -> bool:
        """Wait before the next attempt; False when the process ends first."""
        if not self._trouble:
            log.error("not stored, tried again", reason=trouble)
        self._trouble = trouble
        return not self._stop.wait(self._backoff.next())
