"""The uplink: journal rows and wanted machines to the service, machine reports from it."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import msgspec
import structlog
from prometheus_client import Counter, Gauge

from edge.contracts import topics
from edge.contracts.signals import MachineChanged, Signal
from edge.contracts.wire import AckMessage, MachinesMessage, PresenceMessage, WantedMessage
from edge.process.backoff import Backoff
from edge.process.link import Link
from edge.process.reporter import HealthReporter
from edge.uplink.events import OutboxRow, encode_event

log = structlog.get_logger()

SENT = Counter("roomkeeper_uplink_events", "Journal rows sent, or taken up again.", ["what"])
BAD = Counter("roomkeeper_uplink_bad", "Messages of the service that were not obeyed.", ["why"])
BEHIND = Gauge("roomkeeper_uplink_behind", "Rows the service has not confirmed to have stored.")

WINDOW = 500
"""Rows sent and not confirmed. With 200, a third less went through to a store that commits."""
RESEND_S = 10.0
RETRY_S = 0.2
REWIND_S = 1.0
"""A service that came back says again what it stored; it is believed this often."""
REFUSED = 0x80
AHEAD = "the service knows more rows than the journal has: was an old copy put back?"

_acks = msgspec.json.Decoder(AckMessage)
_machines = msgspec.json.Decoder(MachinesMessage)


class Outbox(Protocol):
    """The journal as the uplink sees it; methods may be called from any thread."""

    @property
    def ident(self) -> str:
        """The journal's own name."""
        ...

    @property
    def head(self) -> int:
        """Seq of the last durable row."""
        ...

    @property
    def readable(self) -> int:
        """Seq of the last row that can be read: behind the head for some milliseconds."""
        ...

    def cursor(self) -> int:
        """Seq up to which the service has stored the rows."""
        ...

    def move_cursor(self, seq: int) -> bool:
        """Move the cursor forward."""
        ...

    def set_back(self, seq: int) -> None:
        """Move the cursor backward."""
        ...

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[OutboxRow]:
        """Yield durable rows behind `after`."""
        ...


def presence_will(room: str) -> tuple[str, bytes]:
    """Return the last will a room's link is made with: (topic, payload), retained."""
    gone = PresenceMessage(room, online=False)
    return topics.PRESENCE.name(room=room), msgspec.json.encode(gone)


class Uplink:
    """Sends what the service has not stored yet, again and again; its thread is "uplink".

    Handlers run on the link's thread. The cursor moves only when the service says what it stored.
    """

    def __init__(
        self,
        room: str,
        link: Link,
        journal: Outbox,
        post: Callable[[Signal], None],
        *,
        share_titles: bool = False,
        version: str = "",
        resend_s: float = RESEND_S,
        mono: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._room = room
        self._link = link
        self._journal = journal
        self._post = post
        self._share_titles = share_titles
        self._version = version
        self._mono = mono
        self._wall = wall
        self._events_topic = topics.EVENTS.name(room=room)
        self._broker = HealthReporter("broker:site", post)
        self._service = HealthReporter("service", post)
        self._stall = Backoff(first=resend_s, cap=resend_s * 6)
        self._sent = journal.cursor()
        self._resend_at = float("inf")
        self._rewound_at = float("-inf")
        self._wanted: WantedMessage | None = None
        self._up = False
        self._greet = False
        self._wanted_due = False
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=False)
        link.subscribe(topics.ACK.name(room=room), self._acked)
        link.subscribe(topics.MACHINES.name(room=room), self._machines_reported)
        link.when_up(self._link_up)
        link.when_health(self._link_health)

    def wanted(self, message: WantedMessage) -> None:
        """Publish this snapshot; a newer one replaces it, each reconnection repeats it."""
        if not self._share_titles:
            bare = tuple(msgspec.structs.replace(one, title="") for one in message.machines)
            message = msgspec.structs.replace(message, machines=bare)
        with self._changed:
            self._wanted = message
            self._wanted_due = True
            self._changed.notify_all()

    def poke(self) -> None:
        """New rows are durable."""
        # To wake a thread is the dearest part of a commit: not while nothing can be sent.
        if self._up:
            with self._changed:
                self._changed.notify_all()

    def start(self) -> None:
        """Begin to send as soon as the link is up."""
        self._thread.start()

    def stop(self) -> None:
        """Stop within 1 s; what was not stored is sent after the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(1.0)

    # The uplink's own thread.

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                went = self._say_what_is() and self._send_rows()
            except Exception:
                log.exception("uplink failed")
                went = False
            if not went:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, RETRY_S)

    def _wait_for_work(self) -> bool:
        """Return False when the uplink stops, True when there is something to send."""
        with self._changed:
            while not self._stopping:
                self._take_stock()
                if self._up and (self._greet or self._wanted_due or self._room_left()):
                    return True
                self._changed.wait(min(1.0, max(0.01, self._resend_at - self._mono())))
            return False

    def _take_stock(self) -> None:
        cursor = self._journal.cursor()
        self._sent = max(self._sent, cursor)
        BEHIND.set(self._journal.readable - cursor)
        if self._sent == cursor:
            self._resend_at = float("inf")
        elif self._mono() >= self._resend_at:
            SENT.labels("again").inc(self._sent - cursor)
            self._service.lost("it does not confirm what it was sent")
            self._sent = cursor
            self._resend_at = float("inf")

    def _room_left(self) -> int:
        """Return how many rows to send now: all there are, else a good part of the window."""
        there_are = self._journal.readable - self._sent
        room = self._journal.cursor() + WINDOW - self._sent
        return there_are if there_are <= room else room if room >= WINDOW // 4 else 0

    def _say_what_is(self) -> bool:
        with self._changed:
            greet, wanted = self._greet, self._wanted if self._wanted_due else None
            self._greet = self._wanted_due = False
        said = True
        if greet:
            here = PresenceMessage(self._room, True, self._wall(), self._version)
            said = self._publish_retained(topics.PRESENCE, here)
        if said and wanted is not None:
            said = self._publish_retained(topics.WANTED, wanted)
        if not said:
            with self._changed:
                self._greet = self._greet or greet
                self._wanted_due = True
        return said

    def _publish_retained(self, topic: topics.Topic, message: msgspec.Struct) -> bool:
        name = topic.name(room=self._room)
        payload = msgspec.json.encode(message)
        return self._link.publish(name, payload, retain=True, on_ack=self._answered)

    def _send_rows(self) -> bool:
        with self._changed:
            after, room_left = self._sent, self._room_left()
        if room_left <= 0:
            return True
        SENT.labels("sent").inc(room_left)
        for row in self._journal.read(after, room_left):
            payload = encode_event(self._room, self._journal.ident, row, self._share_titles)
            with self._changed:
                # A reconnection or a resend in between starts again at the cursor.
                if self._sent != after:
                    return True
                if not self._link.publish(self._events_topic, payload, on_ack=self._answered):
                    return False
                self._sent = after = row.seq
                if self._resend_at == float("inf"):
                    self._resend_at = self._mono() + self._stall.next()
        return True

    # The link's thread.

    def _link_up(self) -> None:
        with self._changed:
            self._up = True
            self._sent = self._journal.cursor()
            self._resend_at = float("inf")
            self._stall.reset()
            self._greet = True
            self._wanted_due = self._wanted is not None
            self._changed.notify_all()

    def _link_health(self, health: Literal["ok", "lost"], reason: str) -> None:
        if health == "ok":
            self._broker.ok()
            return
        with self._changed:
            self._up = False
        self._broker.lost(reason)

    def _answered(self, code: int) -> None:
        if code >= REFUSED:
            BAD.labels("refused").inc()
            self._broker.degraded(f"the broker refuses what the room sends (reason {code:#x})")

    def _acked(self, _topic: str, payload: bytes, retained: bool) -> None:
        try:
            ack = _acks.decode(payload)
        except msgspec.MsgspecError:
            self._disobey("malformed", "its acknowledgement cannot be read")
            return
        if ack.room != self._room or ack.sequence < 0:
            self._disobey("malformed", "its acknowledgement is not for this room")
        elif ack.journal != self._journal.ident:
            # It speaks of a journal that was replaced: nothing of ours is stored by that.
            BAD.labels("other journal").inc()
        elif ack.sequence > self._journal.head:
            self._disobey("ahead", AHEAD)
        elif self._journal.move_cursor(ack.sequence):
            self._service.ok()
            with self._changed:
                self._stall.reset()
                self._resend_at = self._mono() + self._stall.next()
                self._changed.notify_all()
        elif not retained:
            # A retained word may be old; what the service says now, it has read in its store.
            if ack.sequence < self._journal.cursor():
                self._service.degraded("it lost rows it had stored: they are sent again")
                self._journal.set_back(ack.sequence)
            self._rewind()

    def _rewind(self) -> None:
        """The service repeats itself, so it has just come back: what it missed goes again now."""
        with self._changed:
            if self._mono() - self._rewound_at >= REWIND_S:
                self._rewound_at = self._mono()
                self._sent = self._journal.cursor()
                self._resend_at = float("inf")
                self._changed.notify_all()

    def _machines_reported(self, _topic: str, payload: bytes, _retained: bool) -> None:
        try:
            message = _machines.decode(payload)
        except msgspec.MsgspecError:
            self._disobey("malformed", "its report on machines cannot be read")
            return
        if message.room != self._room:
            self._disobey("malformed", "its report on machines is for another room")
            return
        self._service.ok()
        self._post(MachineChanged("service", message.machines))

    def _disobey(self, why: str, reason: str) -> None:
        BAD.labels(why).inc()
        self._service.degraded(reason)
