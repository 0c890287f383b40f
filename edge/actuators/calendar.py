"""The room's calendar as an actuator: writes with If-Match, kept while the calendar is away."""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Literal

import structlog
from prometheus_client import Counter, Gauge

from edge.actuators.ics_edit import Room, book, booked_as_asked, edit
from edge.contracts.commands import CalendarWrite
from edge.contracts.signals import CalendarWritten, Signal
from edge.process.backoff import Backoff
from edge.process.dav import Dav, DavAccount, DavConflictError, DavError
from edge.process.reporter import HealthReporter
from edge.process.worker import Worker

log = structlog.get_logger()

WRITES = Counter(
    "roomkeeper_calendar_writes", "Calendar writes, by verb and outcome.", ["verb", "outcome"]
)
PENDING = Gauge("roomkeeper_calendar_writes_pending", "Calendar writes not carried out yet.")

QUEUE_LIMIT = 100
DONE_LIMIT = 1000
RACES = 3
KEEP_S = 3600.0
"""How long past the end it is about a write is still tried."""

Outcome = Literal["ok", "conflict", "failed"]


@dataclass(frozen=True, slots=True)
class Pending:
    """A write and the wall second after which nobody needs it."""

    write: CalendarWrite
    until: float


class CalendarDriver(Worker):
    """Carries out CalendarWrite, posts one CalendarWritten for each, and its own health.

    Thread `driver:calendar`. A write the calendar is away for is tried again with backoff until
    an hour after the end it is about; writes to one event stay in order. The same id twice, or a
    write whose effect is there already, is "ok". What was not written is lost with the process:
    whoever decided it decides it again.
    """

    def __init__(
        self,
        account: DavAccount,
        post: Callable[[Signal], None],
        *,
        zone: tzinfo = UTC,
        attendee: str = "",
        source: str = "calendar",
        name: str = "driver:calendar",
        timeout_s: float = 5.0,
        wall: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
    ) -> None:
        super().__init__(name)
        self.name = name
        self._account = account
        self._post = post
        self._room = Room(zone, attendee)
        self._source = source
        self._timeout_s = timeout_s
        self._wall = wall
        self._backoff = backoff or Backoff(first=0.5, cap=30.0)
        self._health = HealthReporter(name, post)
        self._lock = threading.Lock()
        self._pending: list[Pending] = []
        self._done: OrderedDict[str, tuple[Outcome, str]] = OrderedDict()

    def submit(self, write: CalendarWrite) -> None:
        """Take a write on, from any thread, without waiting."""
        until = max(write.start, write.end, self._wall()) + KEEP_S
        with self._lock:
            known = self._done.get(write.id)
            if known is None and any(p.write.id == write.id for p in self._pending):
                return
            full = known is None and len(self._pending) >= QUEUE_LIMIT
            if known is None and not full:
                self._pending.append(Pending(write, until))
                PENDING.set(len(self._pending))
        if known is not None:
            self._answer(write, *known)
        elif full:
            self._answer(write, "failed", f"{QUEUE_LIMIT} writes wait for the calendar already")
        else:
            self._wake.set()

    def _run(self) -> None:
        dav: Dav | None = None
        while not self._stop.is_set():
            self._wake.clear()
            wait: float | None
            try:
                dav = dav or Dav(self._account, self._timeout_s)
                wait = self._round(dav)
            except DavError as error:
                wait = self._failed(str(error))
            except Exception as error:
                log.exception("calendar driver failed", driver=self.name)
                wait = self._failed(f"internal error {type(error).__name__}: see the log")
            if not self._stop.is_set():
                self._wake.wait(wait)
        if dav is not None:
            dav.close()

    def _failed(self, reason: str) -> float:
        if self._health.health != "lost":
            log.warning("calendar cannot be written", driver=self.name, reason=reason)
        self._health.lost(reason)
        return self._backoff.next()

    def _round(self, dav: Dav) -> float | None:
        """Try each write once; return the seconds until the next try, None when all are done."""
        stuck: set[str] = set()
        trouble = ""
        with self._lock:
            batch = list(self._pending)
        for pending in batch:
            write = pending.write
            if self._stop.is_set():
                return None
            if self._wall() > pending.until:
                self._finish(pending, "failed", "the calendar was away until it was over")
            elif write.uid not in stuck:
                try:
                    self._finish(pending, *self._carry_out(dav, write))
                except DavError as error:
                    trouble = str(error)
                    if error.status in range(400, 500) and error.status not in {401, 403, 408, 429}:
                        self._finish(pending, "failed", trouble)
                        continue
                    stuck.add(write.uid)
                    if not error.status:
                        break
        if stuck:
            return self._failed(trouble)
        if batch:
            self._backoff.reset()
            self._health.ok()
        return None

    def _carry_out(self, dav: Dav, write: CalendarWrite) -> tuple[Outcome, str]:
        if write.verb == "book":
            return self._book(dav, write)
        if not write.href:
            return "failed", "the write does not say which file holds the event"
        for _ in range(RACES):
            answer = self._attempt(dav, write)
            if answer is not None:
                return answer
        return "conflict", f"somebody else changed the event {RACES} times meanwhile"

    def _attempt(self, dav: Dav, write: CalendarWrite) -> tuple[Outcome, str] | None:
        """Return what became of the write, None when somebody else was faster."""
        document = dav.get(write.href)
        if document is None:
            return "conflict", "the event is not there any more"
        as_read = document.etag == write.etag
        done = edit(document.data, write, self._room, self._wall(), as_read=as_read)
        if done.outcome == "same":
            return "ok", "it was so already"
        if done.outcome != "changed":
            return done.outcome, done.detail
        try:
            dav.put(write.href, done.data, if_match=document.etag)
        except DavConflictError:
            return None
        return "ok", ""

    def _book(self, dav: Dav, write: CalendarWrite) -> tuple[Outcome, str]:
        href = write.href or dav.path + re.sub(r"[^A-Za-z0-9._@-]", "_", write.uid)[:200] + ".ics"
        try:
            dav.put(href, book(write, self._room, self._wall()))
        except DavConflictError as error:
            # The answer to an earlier try may have been lost: the event may be this very booking.
            document = dav.get(href)
            if document is not None and booked_as_asked(document.data, write, self._room):
                return "ok", "it was so already"
            return "conflict", str(error)
        return "ok", ""

    def _finish(self, pending: Pending, outcome: Outcome, detail: str) -> None:
        with self._lock:
            self._pending.remove(pending)
            PENDING.set(len(self._pending))
            self._done[pending.write.id] = outcome, detail
            while len(self._done) > DONE_LIMIT:
                self._done.popitem(last=False)
        self._answer(pending.write, outcome, detail)

    def _answer(self, write: CalendarWrite, outcome: Outcome, detail: str) -> None:
        WRITES.labels(write.verb, outcome).inc()
        self._post(CalendarWritten(self._source, write.id, outcome, detail))
