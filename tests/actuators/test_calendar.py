import http.server
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import msgspec
import pytest

from edge.actuators.calendar import QUEUE_LIMIT, CalendarDriver
from edge.contracts.commands import CalendarWrite
from edge.contracts.signals import CalendarWritten, Signal, SourceChanged
from edge.process.backoff import Backoff
from edge.process.dav import DavAccount
from tests.world.ics import calendar, event, stamp
from tests.world.servers import Radicale
from tests.world.waiting import until, within

START = 1_790_000_000.0 // 3600 * 3600
END = START + 3600
NOW = START + 600


class Watch:
    """What the driver posted, and the clock it reads."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self.now = NOW

    def outcome(self, command: str) -> CalendarWritten | None:
        answers = [
            s for s in self.signals if isinstance(s, CalendarWritten) and s.command == command
        ]
        return answers[-1] if answers else None

    def health(self) -> str:
        changes = [s.health for s in self.signals if isinstance(s, SourceChanged)]
        return changes[-1] if changes else ""


@contextmanager
def driving(account: DavAccount) -> Iterator[tuple[CalendarDriver, Watch]]:
    watch = Watch()
    driver = CalendarDriver(
        account,
        watch.signals.append,
        zone=ZoneInfo("Europe/Berlin"),
        wall=lambda: watch.now,
        backoff=Backoff(0.02, 0.05, random.Random(1)),
    )
    driver.start()
    try:
        yield driver, watch
    finally:
        driver.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Radicale]:
    with Radicale() as running:
        yield running


@pytest.fixture
def both(server: Radicale) -> Iterator[tuple[CalendarDriver, Watch]]:
    with driving(DavAccount(server.url, server.user, server.password)) as pair:
        yield pair


def extend(server: Radicale, ident: str, name: str, etag: str, end: float) -> CalendarWrite:
    return CalendarWrite(
        ident, "extend", name, "cause", "", f"{server.path}{name}.ics", etag, START, end
    )


Both = tuple[CalendarDriver, Watch]


def test_an_extension_is_written_once_for_one_id(server: Radicale, both: Both):
    driver, watch = both
    etag = server.put("a", calendar(event("a", START, END, "X-OTHER:kept")))
    write = extend(server, "1", "a", etag, END + 900)
    driver.submit(write)
    until(lambda: watch.outcome("1"))
    assert watch.outcome("1") == CalendarWritten("calendar", "1", "ok")
    after = server.get("a")
    assert f"DTEND:{stamp(END + 900)}" in after
    assert "X-OTHER:kept" in after
    driver.submit(write)
    until(lambda: len([s for s in watch.signals if isinstance(s, CalendarWritten)]) == 2)
    assert server.get("a") == after
    driver.submit(msgspec.structs.replace(write, id="2"))
    until(lambda: watch.outcome("2"))
    assert watch.outcome("2") == CalendarWritten("calendar", "2", "ok", "it was so already")
    assert server.get("a") == after
    assert watch.health() == "ok"


def test_a_moved_event_is_a_conflict_and_stays_as_it_is(server: Radicale, both: Both):
    driver, watch = both
    etag = server.put("m", calendar(event("m", START, END)))
    server.put("m", calendar(event("m", START + 1800, END + 1800)))
    before = server.get("m")
    driver.submit(extend(server, "1", "m", etag, END + 900))
    until(lambda: watch.outcome("1"))
    assert watch.outcome("1") == CalendarWritten("calendar", "1", "conflict", "the event was moved")
    assert server.get("m") == before


def test_a_removed_event_is_a_conflict(server: Radicale, both: Both):
    driver, watch = both
    driver.submit(extend(server, "1", "never", '"1"', END + 900))
    until(lambda: watch.outcome("1"))
    assert watch.outcome("1").outcome == "conflict"  # type: ignore[union-attr]


def test_a_new_title_meanwhile_is_kept(server: Radicale, both: Both):
    driver, watch = both
    etag = server.put("t", calendar(event("t", START, END, "SUMMARY:old")))
    server.put("t", calendar(event("t", START, END, "SUMMARY:new")))
    driver.submit(extend(server, "1", "t", etag, END + 900))
    until(lambda: watch.outcome("1"))
    assert watch.outcome("1").outcome == "ok"  # type: ignore[union-attr]
    assert "SUMMARY:new" in server.get("t")


def test_one_of_a_series_is_checked_in_then_ended(server: Radicale, both: Both):
    driver, watch = both
    rid = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START))
    etag = server.put("s", calendar(event("s", START - 86400, END - 86400, "RRULE:FREQ=DAILY")))
    base = extend(server, "1", "s", etag, 0.0)
    base = msgspec.structs.replace(base, verb="check_in", recurrence_id=rid)
    driver.submit(base)
    driver.submit(msgspec.structs.replace(base, id="2", verb="end", end=NOW))
    until(lambda: watch.outcome("2"))
    assert watch.outcome("2").outcome == "ok"  # type: ignore[union-attr]
    after = server.get("s")
    assert after.count("BEGIN:VEVENT") == 2
    assert f"RECURRENCE-ID:{stamp(START)}" in after
    assert f"DTEND:{stamp(NOW)}" in after
    assert "X-ROOMKEEPER-CHECKED-IN" in after


def test_a_booking_is_made_once_and_never_over_another(server: Radicale, both: Both):
    driver, watch = both
    write = CalendarWrite("1", "book", "walk/up 1", "c", start=START, end=END, title="Now")
    driver.submit(write)
    driver.submit(msgspec.structs.replace(write, id="2"))
    driver.submit(msgspec.structs.replace(write, id="3", end=END + 60))
    until(lambda: watch.outcome("3"))
    outcomes = [watch.outcome(i).outcome for i in "123"]  # type: ignore[union-attr]
    assert outcomes == ["ok", "ok", "conflict"]
    assert "SUMMARY:Now" in server.get("walk_up_1")


def test_writes_wait_for_a_server_that_was_killed():
    with Radicale() as server:
        etag = server.put("a", calendar(event("a", START, END)))
        account = DavAccount(server.url, server.user, server.password)
        server.kill()
        with driving(account) as (driver, watch):
            driver.submit(extend(server, "1", "a", etag, END + 900))
            driver.submit(extend(server, "2", "a", etag, END + 1800))
            until(lambda: watch.health() == "lost")
            assert watch.outcome("1") is None
            server.start()
            until(lambda: watch.outcome("2"))
            assert watch.outcome("2").outcome == "ok"  # type: ignore[union-attr]
            assert f"DTEND:{stamp(END + 1800)}" in server.get("a")
            until(lambda: watch.health() == "ok")


def test_a_write_is_given_up_when_its_meeting_is_long_over():
    with driving(DavAccount("http://127.0.0.1:9/c/")) as (driver, watch):
        driver.submit(CalendarWrite("1", "extend", "a", "c", "", "/c/a.ics", "", START, END))
        until(lambda: watch.health() == "lost")
        watch.now = END + 3601
        until(lambda: watch.outcome("1"))
        assert watch.outcome("1").outcome == "failed"  # type: ignore[union-attr]


def test_the_queue_is_bounded():
    driver_watch = Watch()
    driver = CalendarDriver(DavAccount("http://127.0.0.1:9/c/"), driver_watch.signals.append)
    for number in range(QUEUE_LIMIT + 1):
        driver.submit(CalendarWrite(str(number), "check_in", "a", "c"))
    (answer,) = driver_watch.signals
    assert isinstance(answer, CalendarWritten)
    assert (answer.command, answer.outcome) == (str(QUEUE_LIMIT), "failed")


class Racing(http.server.BaseHTTPRequestHandler):
    """Serves an event, and changes it under every write: the fault that is asked for."""

    writes = 0

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        body = calendar(event("a", START, END)).encode()
        self.send_response(200)
        self.send_header("ETag", f'"{type(self).writes}"')
        self.send_header("Content-Type", "text/calendar")
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        type(self).writes += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(412 if self.headers["If-Match"] else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()


def test_an_endless_race_ends_as_a_conflict():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Racing) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        with driving(DavAccount(f"http://127.0.0.1:{httpd.server_port}/c/")) as (driver, watch):
            driver.submit(
                CalendarWrite("1", "extend", "a", "c", "", "/c/a.ics", '"0"', START, END + 60)
            )
            until(lambda: watch.outcome("1"))
            assert watch.outcome("1").outcome == "conflict"  # type: ignore[union-attr]
        httpd.shutdown()
    assert Racing.writes == 3


def test_stop_does_not_wait_for_a_server_that_hangs():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/c/"
        with driving(DavAccount(url)) as (driver, _):
            driver.submit(CalendarWrite("1", "end", "a", "c", "", "/c/a.ics", "", START, END))
            taken, _ = sock.accept()
            with within(1.0):
                driver.stop()
            taken.close()
