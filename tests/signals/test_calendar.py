import http.server
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import pytest

from edge.contracts.signals import CalendarRead, Meeting, Signal, SourceChanged
from edge.process.backoff import Backoff
from edge.process.dav import Dav, DavAccount, Entry
from edge.signals.calendar import CalendarSettings, CalendarSource
from tests.world.ics import calendar, event, stamp
from tests.world.servers import Radicale
from tests.world.waiting import until, within

NOW = 1_790_000_000.0 // 86400 * 86400 + 9 * 3600


class Watch:
    """What a source posted."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []

    def __call__(self, signal: Signal) -> None:
        self.signals.append(signal)

    @property
    def reads(self) -> list[CalendarRead]:
        return [s for s in self.signals if isinstance(s, CalendarRead)]

    @property
    def meetings(self) -> tuple[Meeting, ...]:
        return self.reads[-1].meetings if self.reads else ()

    @property
    def health(self) -> list[SourceChanged]:
        return [s for s in self.signals if isinstance(s, SourceChanged)]

    def is_now(self, health: str, word: str = "") -> bool:
        return bool(
            self.health and self.health[-1].health == health and word in self.health[-1].reason
        )


@contextmanager
def reading(
    url: str, user: str, password: str, timeout_s: float = 5.0
) -> Iterator[tuple[CalendarSource, Watch]]:
    watch = Watch()
    settings = CalendarSettings(
        DavAccount(url, user, password),
        ZoneInfo("Europe/Berlin"),
        poll_s=0.05,
        near_s=0.05,
        timeout_s=timeout_s,
    )
    backoff = Backoff(0.02, 0.1, random.Random(1))
    source = CalendarSource(settings, watch, wall=lambda: NOW, backoff=backoff)
    source.start()
    try:
        yield source, watch
    finally:
        source.stop()


@pytest.fixture(scope="module")
def shared() -> Iterator[Radicale]:
    with Radicale() as server:
        yield server


@pytest.fixture
def server(shared: Radicale) -> Iterator[Radicale]:
    yield shared
    root = shared.folder / "store" / "collection-root" / shared.user / "calendar"
    for path in root.glob("*.ics"):
        path.unlink()


@contextmanager
def source_of(server: Radicale) -> Iterator[tuple[CalendarSource, Watch]]:
    with reading(server.url, server.user, server.password) as both:
        yield both


def test_an_event_is_seen_when_added_moved_cancelled_and_removed(server: Radicale):
    with source_of(server) as (_, watch):
        until(lambda: watch.reads)
        assert watch.meetings == ()
        etag = server.put("a", calendar(event("a", NOW, NOW + 3600, "SUMMARY:Plan")))
        until(lambda: watch.meetings)
        meeting = watch.meetings[0]
        assert (meeting.uid, meeting.start, meeting.end) == ("a", NOW, NOW + 3600)
        assert (meeting.href, meeting.etag) == (f"{server.path}a.ics", etag)
        server.put("a", calendar(event("a", NOW + 900, NOW + 3600)))
        until(lambda: watch.meetings[0].start == NOW + 900)
        server.put("a", calendar(event("a", NOW + 900, NOW + 3600, "STATUS:CANCELLED")))
        until(lambda: watch.meetings[0].cancelled)
        server.delete("a")
        until(lambda: watch.meetings == ())
        assert [h.health for h in watch.health] == ["ok"]


def test_a_series_with_an_exception(server: Radicale):
    series = event("s", NOW - 86400, NOW - 82800, "RRULE:FREQ=DAILY")
    with source_of(server) as (_, watch):
        server.put("s", calendar(series))
        until(lambda: len(watch.meetings) == 2)
        moved = event("s", NOW + 7200, NOW + 9000, f"RECURRENCE-ID:{stamp(NOW)}")
        server.put("s", calendar(series, moved))
        until(lambda: NOW + 7200 in {m.start for m in watch.meetings})
        assert [(m.start, m.end - m.start) for m in watch.meetings] == [
            (NOW + 7200, 1800),
            (NOW + 86400, 3600),
        ]
        assert len({m.recurrence_id for m in watch.meetings}) == 2


def test_an_unchanged_calendar_is_posted_once_and_fetched_once(server: Radicale):
    server.put("a", calendar(event("a", NOW, NOW + 3600)))
    with source_of(server) as (source, watch):
        until(lambda: watch.meetings)
        before = len(watch.reads)
        # A change outside the window is read, yet it changes nothing the room sees.
        server.put("far", calendar(event("far", NOW + 864000, NOW + 867600)))
        server.put("b", calendar(event("b", NOW + 7200, NOW + 9000)))
        source.poke()
        until(lambda: len(watch.meetings) == 2)
        assert len(watch.reads) == before + 1


def test_a_poke_reads_at_once(server: Radicale):
    watch = Watch()
    account = DavAccount(server.url, server.user, server.password)
    settings = CalendarSettings(account, ZoneInfo("UTC"), poll_s=3600, near_s=3600)
    source = CalendarSource(settings, watch, wall=lambda: NOW)
    source.start()
    try:
        until(lambda: watch.reads)
        server.put("a", calendar(event("a", NOW, NOW + 3600)))
        source.poke()
        until(lambda: watch.meetings)
    finally:
        source.stop()


def test_a_server_killed_and_back_is_lost_and_found_with_what_changed_meanwhile():
    with Radicale() as server, source_of(server) as (_, watch):
        server.put("a", calendar(event("a", NOW, NOW + 3600)))
        until(lambda: watch.meetings)
        server.kill()
        until(lambda: watch.is_now("lost", "does not answer"))
        assert watch.meetings, "what was known stays known"
        server.start()
        until(lambda: watch.is_now("ok"))
        server.put("a", calendar(event("a", NOW, NOW + 7200)))
        until(lambda: watch.meetings[0].end == NOW + 7200)


def test_a_server_that_is_away_at_start_is_found_later():
    server = Radicale()
    with source_of(server) as (_, watch):
        until(lambda: watch.is_now("lost"))
        with server:
            until(lambda: watch.is_now("ok"))


def test_a_wrong_password_says_what_to_check(server: Radicale):
    with reading(server.url, server.user, "wrong") as (_, watch):
        until(lambda: watch.is_now("lost", "check [calendar] username and password"))
    assert "wrong" not in watch.health[-1].reason.replace("check", "")


def test_files_that_cannot_be_read_degrade_and_the_rest_is_seen(server: Radicale):
    server.put("a", calendar(event("a", NOW, NOW + 3600)))
    server.put("fast", calendar(event("f", NOW, NOW + 3600, "RRULE:FREQ=MINUTELY")))
    server.put("big", calendar(event("b", NOW, NOW + 3600, *["X-FILL:" + "x" * 9000] * 150)))
    with source_of(server) as (_, watch):
        until(lambda: watch.is_now("degraded"))
        reason = watch.health[-1].reason
        assert "fast.ics" in reason
        assert "big.ics" in reason
        until(lambda: watch.reads)
        assert [m.uid for m in watch.meetings] == ["a"]
        assert watch.reads[-1].skipped == 2
        server.delete("fast")
        server.delete("big")
        until(lambda: watch.is_now("ok"))


def test_a_poll_of_an_unchanged_calendar_lists_nothing_until_the_trust_ends(server: Radicale):
    server.put("a", calendar(event("a", NOW, NOW + 3600)))
    dav = Dav(DavAccount(server.url, server.user, server.password))
    listed = []

    class Counting(Dav):
        def entries(self) -> dict[str, Entry]:
            listed.append(1)
            return dav.entries()

        def tag(self) -> str:
            return "always the same"

    counting = Counting(DavAccount(server.url, server.user, server.password))
    watch = Watch()
    settings = CalendarSettings(DavAccount(server.url), ZoneInfo("UTC"), reconcile_s=3600)
    source = CalendarSource(settings, watch, wall=lambda: NOW)
    for _ in range(5):
        source._poll(counting)
    assert len(listed) == 1
    server.put("a", calendar(event("a", NOW, NOW + 7200)))
    source._trust_s = 0.0
    source._poll(counting)
    assert watch.meetings[0].end == NOW + 7200, "a tag that lies is found out"


class Faulty(http.server.BaseHTTPRequestHandler):
    """Answers everything with the fault its server holds."""

    fault = "500"

    def log_message(self, *_: object) -> None:
        return

    def do_PROPFIND(self) -> None:
        fault = self.fault
        self.send_response(500 if fault == "500" else 207)
        self.send_header("Content-Type", "text/xml")
        self.end_headers()
        try:
            if fault == "nonsense":
                self.wfile.write(b"<html><b>not xml")
            while fault == "endless":
                self.wfile.write(b"x" * 1_000_000)
        except OSError:
            return


@contextmanager
def faulty(fault: str) -> Iterator[str]:
    handler = type("Handler", (Faulty,), {"fault": fault})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/c/"
        httpd.shutdown()


@pytest.mark.parametrize(
    ("fault", "word"), [("500", "500"), ("nonsense", ""), ("endless", "does not answer")]
)
def test_a_server_that_answers_wrongly_is_lost_with_backoff(fault: str, word: str):
    with faulty(fault) as url, reading(url, "room", "x", 5.0) as (_, watch):
        until(lambda: watch.is_now("lost", word))
        assert not watch.reads
        assert watch.health[-1].errors == 1


def test_stop_does_not_wait_for_a_server_that_hangs():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        with reading(f"http://127.0.0.1:{sock.getsockname()[1]}/c/", "room", "x", 30) as (
            source,
            _,
        ):
            taken, _ = sock.accept()
            with within(1.0):
                source.stop()
            taken.close()


def test_a_silent_server_is_lost_after_the_timeout():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/c/"
        with reading(url, "room", "x", 0.2) as (_, watch):
            until(lambda: watch.is_now("lost", "Timeout"))
