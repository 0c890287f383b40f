"""The reconciler's parts: clock, readiness, census, workers, claims."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from cloud_bridge.reconcile.ages import Ages
from cloud_bridge.reconcile.census import census, remembered
from cloud_bridge.reconcile.clock import SETTLE_S, Clock
from cloud_bridge.reconcile.readiness import ASKED, READY_S, Readiness
from cloud_bridge.reconcile.workers import Workers
from cloud_bridge.store import Intended, MachineStore, Store, StoreError
from cloud_bridge.types import Action, Attempt, Create, Delete, Forget, Machine
from edge.contracts.base import Now
from edge.contracts.wire import MachineReport, MachinesMessage
from edge.journal import Journal
from tests.cloud_bridge.cases import SMALL, T0, TEMPLATES, machine, now
from tests.world.waiting import until


def nobody() -> None:
    return


@pytest.fixture
def store(database: str) -> Iterator[MachineStore]:
    opened = Store(database)
    yield MachineStore(opened)
    opened.close()


def test_a_clock_is_distrusted_for_a_while_after_a_jump_and_when_never_set() -> None:
    wall, mono = [T0], [0.0]
    clock = Clock(lambda: wall[0], lambda: mono[0])
    assert clock.now().trusted
    wall[0] -= 3600
    assert not clock.now().trusted
    wall[0] += SETTLE_S - 1
    mono[0] += SETTLE_S - 1
    assert not clock.now().trusted
    wall[0] += 1
    mono[0] += 1
    assert clock.now().trusted
    assert not Clock(lambda: 0.0, lambda: 0.0).now().trusted


class Pages:
    """Who answers, and how often each was asked."""

    def __init__(self) -> None:
        self.answering: set[str] = set()
        self.asked: dict[str, int] = {}

    def ask(self, asked: Machine) -> bool:
        self.asked[asked.key] = self.asked.get(asked.key, 0) + 1
        return asked.key in self.answering


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def readiness(pages: Pages) -> Iterator[Readiness]:
    made = Readiness(nobody, pages.ask)
    made.start()
    yield made
    made.stop()


def test_silence_counts_after_some_questions_and_an_answer_at_once(
    pages: Pages, readiness: Readiness
) -> None:
    booting = machine(phase="booting", token="t")
    assert readiness.verdict(booting) == "unknown"
    readiness.watch([booting])
    until(lambda: readiness.verdict(booting) == "silent")
    pages.answering.add("k")
    until(lambda: readiness.verdict(booting) == "ready")
    another = machine(phase="booting", token="another machine of the same key")
    assert readiness.verdict(another) == "unknown"


def test_a_machine_once_ready_is_lost_not_silent(pages: Pages) -> None:
    was_ready = machine(phase="ready")
    readiness = Readiness(nobody, pages.ask)
    readiness.watch([was_ready])
    assert readiness.verdict(was_ready) == "ready"
    readiness.start()
    try:
        until(lambda: readiness.verdict(was_ready) == "lost")
    finally:
        readiness.stop()


def test_a_machine_is_heard_while_others_are_silent() -> None:
    given_up = threading.Event()
    silent = [machine(key, phase="booting") for key in "abcdefghij"]
    answering = machine("k", phase="booting")

    def ask(asked: Machine) -> bool:
        return asked.key == "k" or given_up.wait(60)

    readiness = Readiness(nobody, ask)
    readiness.watch([*silent, answering])
    readiness.start()
    try:
        until(lambda: readiness.verdict(answering) == "ready")
        assert {readiness.verdict(each) for each in silent} == {"unknown"}
    finally:
        given_up.set()
        readiness.stop()


def test_a_thread_that_cannot_be_had_puts_the_question_off(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds, refused = [0.0], [0]
    readiness = Readiness(nobody, pages.ask, mono=lambda: seconds[0])
    booting = machine(phase="booting")
    pages.answering.add("k")
    readiness.watch([booting])
    readiness.start()
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("readiness-asks") and not refused[0]:
            refused[0] += 1
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    try:
        another = machine("l", phase="booting")
        pages.answering.add("l")
        readiness.watch([booting, another])
        until(lambda: refused[0])
        seconds[0] += READY_S
        until(lambda: {readiness.verdict(each) for each in (booting, another)} == {"ready"})
    finally:
        readiness.stop()


def test_no_more_machines_are_asked_at_once_than_are_meant_to_be() -> None:
    given_up = threading.Event()
    many = [machine(f"k{number}", phase="booting") for number in range(3 * ASKED)]
    open_now, most = [0], [0]
    lock = threading.Lock()

    def ask(_: Machine) -> bool:
        with lock:
            open_now[0] += 1
            most[0] = max(open_now[0], most[0])
        given_up.wait(60)
        with lock:
            open_now[0] -= 1
        return True

    readiness = Readiness(nobody, ask)
    readiness.watch(many)
    readiness.start()
    try:
        until(lambda: most[0] == ASKED)
        given_up.set()
        until(lambda: all(readiness.verdict(each) == "ready" for each in many))
        assert most[0] == ASKED
    finally:
        given_up.set()
        readiness.stop()


def counted(
    listed: list[Machine],
    readiness: Readiness,
    written: tuple[Intended, ...] = (),
    busy: dict[str, Action] | None = None,
    elsewhere: frozenset[str] = frozenset(),
    at: float = 710,
) -> dict[str, str]:
    found = census(listed, written, busy or {}, elsewhere, readiness, TEMPLATES, now(at))
    assert len({each.key for each in found}) == len(found)
    return {each.key: each.phase for each in found}


def test_the_census_tells_what_is_there_what_is_under_way_and_what_is_missing(
    pages: Pages, readiness: Readiness
) -> None:
    booting = machine(phase="booting")
    create = Create("k", "m", ("a",), SMALL, T0)
    delete = Delete("k", "why")
    assert counted([booting], readiness) == {"k": "booting"}
    assert counted([booting], readiness, busy={"k": delete}) == {"k": "ending"}
    assert counted([booting], readiness, busy={"k": create}) == {"k": "creating"}
    assert counted([booting], readiness, elsewhere=frozenset("k")) == {"k": "creating"}
    assert counted([machine(phase="dead")], readiness) == {"k": "dead"}
    assert counted([], readiness, busy={"k": create}) == {"k": "creating"}
    begun, planned = Intended(booting, True, T0), Intended(booting, False, T0)
    assert counted([], readiness, (begun,)) == {"k": "dead"}
    assert counted([], readiness, (planned,)) == {}
    assert counted([], readiness, (begun,), busy={"k": delete}) == {"k": "ending"}
    assert counted([], readiness, (begun,), elsewhere=frozenset("k")) == {"k": "creating"}
    stranger = machine(phase="booting", ours=False)
    assert counted([stranger], readiness) == {"k": "booting"}


def test_an_overdue_machine_found_again_is_asked_before_it_is_judged(
    pages: Pages, readiness: Readiness
) -> None:
    old = machine(phase="booting")
    assert counted([old], readiness, at=5000) == {"k": "creating"}
    readiness.watch([old])
    until(lambda: counted([old], readiness, at=5000) == {"k": "booting"})
    pages.answering.add("k")
    until(lambda: counted([old], readiness, at=5000) == {"k": "ready"})


def test_that_a_machine_was_ready_outlives_the_reconciler() -> None:
    listed, note = machine(phase="booting", token="t"), machine(phase="ready", token="t")
    assert remembered(listed, Intended(note, True, T0)).phase == "ready"
    assert remembered(listed, None).phase == "booting"
    other = machine(phase="ready", token="u")
    assert remembered(listed, Intended(other, True, T0)).phase == "booting"


def test_one_action_a_key_at_a_time_and_a_failed_one_waits() -> None:
    gate = threading.Event()
    done: list[Action] = []

    def do(action: Action) -> None:
        gate.wait(10)
        done.append(action)
        if action.key == "bad":
            raise RuntimeError("as hypervisors do")

    workers = Workers(2, do, nobody)
    workers.start()
    assert workers.give(Forget("k"))
    assert not workers.give(Forget("k"))
    assert workers.give(Forget("bad"))
    assert set(workers.busy()) == {"k", "bad"}
    gate.set()
    until(lambda: not workers.busy())
    assert workers.give(Forget("k"))
    assert not workers.give(Forget("bad"))
    until(lambda: len(done) == 3)
    workers.stop()


def test_a_key_is_claimed_by_one_owner_until_its_time_is_over(store: MachineStore) -> None:
    assert store.claim("k", "one", T0, 30)
    assert store.claim("k", "one", T0 + 1, 30)
    assert not store.claim("k", "two", T0 + 2, 30)
    assert store.claimed_by_others("two", T0 + 2) == {"k"}
    assert store.claimed_by_others("one", T0 + 2) == frozenset()
    assert store.claim("k", "two", T0 + 40, 30)
    store.release("one")
    assert not store.claim("k", "one", T0 + 41, 30)
    store.release("two", "k")
    assert store.claim("k", "one", T0 + 41, 30)


def test_a_claim_from_before_the_clock_was_set_back_holds_nobody_up(store: MachineStore) -> None:
    assert store.claim("k", "dead", T0 + 3600, 30)
    assert store.claimed_by_others("two", T0) == frozenset()
    assert store.claim("k", "two", T0, 30)


def test_the_age_of_a_boot_does_not_jump_with_the_wall_clock() -> None:
    ages = Ages()
    booting = machine(phase="booting", token="t", created=T0 + 100)

    def age(at: float, wall: float) -> float:
        seen = Now(T0 + wall, at, True)
        return seen.wall - ages.steady([booting], seen)[0].created

    assert age(at=5.0, wall=105) == pytest.approx(5.0)
    assert age(at=6.0, wall=3706) == pytest.approx(6.0)
    assert age(at=7.0, wall=-3493) == pytest.approx(7.0)
    fresh = Ages()
    later = Now(T0 - 3600, 50.0, True)
    (found,) = fresh.steady([booting], later)
    assert found.created == later.wall, "found again before it was made: it begins now"
    stranger = machine(ours=False, created=0.0)
    assert fresh.steady([stranger], later) == [stranger]


def test_a_database_that_was_wiped_or_put_back_is_noticed(database: str, tmp_path: Path) -> None:
    opened = Store(database)
    assert not opened.replaced()
    if opened.sqlite:
        for file in tmp_path.glob("cloud.db*"):
            file.unlink()
    else:
        with opened.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    assert opened.replaced()
    again = Store(database)
    assert opened.replaced()
    assert not again.replaced()
    opened.close()
    again.close()


def test_rows_come_back_as_they_were_written(store: MachineStore) -> None:
    attempt = Attempt("k", 2, T0, True, "why")
    store.set_attempt(Attempt("k", 1, T0))
    store.set_attempt(attempt)
    assert store.attempts() == [attempt]
    assert store.forget_attempts("k")
    assert not store.forget_attempts("k")
    store.intend(machine(phase="creating"), begun=False, at=T0)
    store.intend(machine(), begun=True, at=T0)
    assert store.intended() == [Intended(machine(), True, T0)]
    store.cross_out("k")
    assert store.intended() == []
    message = MachinesMessage("a", T0, (MachineReport("k", "m", "small", "ready", T0),))
    store.set_report(message)
    assert store.reports() == {"a": message}


def test_many_who_open_a_new_database_at_once_all_get_it(tmp_path: Path) -> None:
    """As the service's parts do when a site is started for the first time."""
    many = 6

    def opens(url: str, together: threading.Barrier) -> None:
        together.wait(30)
        store = Store(url)
        store.ping()
        store.close()

    with ThreadPoolExecutor(many) as pool:
        for each in range(40):
            together = threading.Barrier(many)
            url = f"sqlite:///{tmp_path}/{each}.db"
            for done in [pool.submit(opens, url, together) for _ in range(many)]:
                done.result()


def test_a_database_that_cannot_be_opened_says_which(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nonsense"):
        Store("nonsense://x")
    (tmp_path / "file").write_text("no database at all, but a text of some length")
    with pytest.raises(StoreError, match="database"):
        Store(f"sqlite:///{tmp_path}/file")


def mail(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE mail(subject)")


def diary(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE events(day, text)")


def views(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE VIEW today AS SELECT 1")


def earlier(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        for name in ("events", "rooms", "wanted"):
            db.execute(f"CREATE TABLE {name}(room)")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: Journal(path).close(), "of something else .it has chain, meta"),
        (mail, "of something else .it has mail"),
        (diary, "of something else .it has events"),
        (views, "of something else .it has today"),
        (earlier, "of an earlier version"),
    ],
)
def test_a_file_of_something_else_is_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    path = tmp_path / "found"
    make(path)
    before = tables(path)
    header = path.read_bytes()[:24]
    with pytest.raises(StoreError, match=says):
        Store(f"sqlite:///{path}")
    assert tables(path) == before
    if make is not earlier:
        assert path.read_bytes()[:24] == header


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master")}


@pytest.mark.parametrize(
    "url",
    ["mysql://room:s3cret@db/x", "postgresql://room:s3cret@db:abc/x", "nonsense://room:s3cret@x"],
)
def test_no_password_of_a_database_is_told(url: str) -> None:
    with pytest.raises(StoreError) as told:
        Store(url)
    assert "s3cret" not in str(told.value)
