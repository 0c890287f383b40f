"""The room's calendar as a source: polled by ETag, read whole, posted when it changed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import Counter, Histogram

from edge.contracts.signals import CalendarRead, Signal
from edge.process.backoff import Backoff
from edge.process.dav import Dav, DavAccount, DavError
from edge.process.worker import Worker
from edge.signals.calendar_files import CalendarFiles
from edge.signals.health import HealthReporter

log = structlog.get_logger()

POLLS = Counter(
    "roomkeeper_calendar_polls", "Calendar polls, by outcome: read, failed.", ["outcome"]
)
FETCHED = Counter(
    "roomkeeper_calendar_files_fetched", "Calendar files fetched because they changed."
)
SECONDS = Histogram("roomkeeper_calendar_poll_seconds", "Duration of one calendar poll.")

AFTER_S = 60.0
"""How long after its end a meeting still counts as near: it may have been extended elsewhere."""


@dataclass(frozen=True, slots=True)
class CalendarSettings:
    """How the calendar is read. zone: the room's; attendee: the room's address in invitations.

    poll_s: seconds between polls, near_s within near_window_s before a meeting and during it;
    reconcile_s: longest trust in a calendar tag that says nothing changed; past_s and ahead_s:
    the window around now; timeout_s: longest silence of the server.
    """

    account: DavAccount
    zone: ZoneInfo
    attendee: str = ""
    poll_s: float = 15.0
    near_s: float = 1.0
    near_window_s: float = 900.0
    reconcile_s: float = 15.0
    timeout_s: float = 5.0
    past_s: float = 12 * 3600.0
    ahead_s: float = 36 * 3600.0


class CalendarSource(Worker):
    """Posts CalendarRead whenever the window's content changed, and the calendar's health.

    Thread `calendar`. A poll asks for the calendar's tag; when that changed, is missing or was
    trusted for reconcile_s, it compares with the whole listing, so that what vanished from the
    server vanishes from the next read.
    """

    def __init__(
        self,
        settings: CalendarSettings,
        post: Callable[[Signal], None],
        *,
        name: str = "calendar",
        wall: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
    ) -> None:
        super().__init__(name)
        self.name = name
        self._settings = settings
        self._post = post
        self._wall = wall
        self._trust_s = settings.reconcile_s
        self._backoff = backoff or Backoff(first=0.5, cap=max(1.0, settings.poll_s * 2))
        self._health = HealthReporter(name, post)
        self._files = CalendarFiles(
            settings.zone, settings.attendee, settings.past_s, settings.ahead_s
        )
        self._posted = ""
        self._tag: str | None = None
        self._listed = 0.0

    def poke(self) -> None:
        """Poll now, not at the next interval; from any thread."""
        self._wake.set()

    def _run(self) -> None:
        dav: Dav | None = None
        while not self._stop.is_set():
            self._wake.clear()
            try:
                dav = dav or Dav(self._settings.account, self._settings.timeout_s)
                with SECONDS.time():
                    wait = self._poll(dav)
            except DavError as error:
                wait = self._failed(str(error))
            except Exception as error:
                log.exception("calendar poll failed", source=self.name)
                wait = self._failed(f"internal error {type(error).__name__}: see the log")
            if not self._stop.is_set():
                self._wake.wait(wait)
        if dav is not None:
            dav.close()

    def _failed(self, reason: str) -> float:
        POLLS.labels("failed").inc()
        if self._health.health != "lost":
            log.warning("calendar lost", source=self.name, reason=reason)
        if not self._stop.is_set():
            self._health.lost(reason)
        return self._backoff.next()

    def _poll(self, dav: Dav) -> float:
        """Read the calendar once; return the seconds until the next time."""
        now = self._wall()
        # A server without tags is asked once, and then never again.
        tag = "" if self._tag == "" else dav.tag()
        if not tag or tag != self._tag or time.monotonic() - self._listed > self._trust_s:
            entries = dav.entries()
            wanted = self._files.missing(entries, now)
            if wanted:
                FETCHED.inc(self._files.store(dav.fetch(wanted), entries, now))
            self._tag, self._listed = tag, time.monotonic()
        read = self._files.read(self.name, now)
        if self._stop.is_set():
            return 0.0
        POLLS.labels("read").inc()
        self._backoff.reset()
        self._tell(read)
        return self._settings.near_s if self._near(read, now) else self._settings.poll_s

    def _tell(self, read: CalendarRead) -> None:
        if read.skipped:
            reasons = self._files.reasons()
            more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
            self._health.degraded("skipped " + "; ".join(reasons[:3]) + more)
        else:
            self._health.ok()
        if read.version != self._posted:
            self._post(read)
            self._posted = read.version

    def _near(self, read: CalendarRead, now: float) -> bool:
        early = self._settings.near_window_s
        return any(m.start - early <= now < m.end + AFTER_S for m in read.meetings if not m.all_day)
