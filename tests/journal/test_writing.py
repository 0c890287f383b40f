"""Who writes: the journal's thread, or the one that asked to write what it appends."""

import sqlite3
import threading
from pathlib import Path

import pytest

from edge.journal import Journal, open_reader, verify
from tests.journal.rows import row, running
from tests.world.waiting import until


class Slow:
    """A disk that hangs in the first commit until `answers` is set."""

    def __init__(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hangs, self.answers = threading.Event(), threading.Event()
        self._commit = journal._store.commit
        monkeypatch.setattr(journal._store, "commit", self.commit)

    def commit(self, *given: object) -> object:
        self.hangs.set()
        assert self.answers.wait(30)
        return self._commit(*given)  # type: ignore[arg-type]


def test_what_is_appended_inside_is_durable_and_released_here_at_the_end(tmp_path: Path) -> None:
    released: list[str] = []
    with running(tmp_path / "journal.db") as journal:
        journal.append([row(0)], more=True)
        with journal.writing():
            journal.append([row(1)], lambda: released.append(threading.current_thread().name))
            assert journal.head == 0
        assert released == [threading.current_thread().name]
        with open_reader(journal.path) as reader:
            assert [stored.id for stored in reader.read()] == ["r1-1-0", "r1-1-1"]


def test_what_nobody_waits_for_is_left_to_the_journals_thread(tmp_path: Path) -> None:
    by: list[str] = []
    with running(tmp_path / "journal.db") as journal:
        journal.when_committed(lambda: by.append(threading.current_thread().name))
        with journal.writing():
            journal.append([row(1)])
        assert journal.flush(5)
        until(lambda: by)
    assert by == ["journal"]


def test_many_that_write_here_release_once_in_the_order_of_appending(tmp_path: Path) -> None:
    released: list[int] = []
    numbers = iter(range(1, 401))
    one_by_one = threading.Lock()

    def bring(journal: Journal, here: bool) -> None:
        for _ in range(100):
            if not here:
                with one_by_one:
                    number = next(numbers)
                    journal.append([row(number)], lambda n=number: released.append(n))
                continue
            with journal.writing(), one_by_one:
                number = next(numbers)
                journal.append([row(number)], lambda n=number: released.append(n))

    with running(tmp_path / "journal.db") as journal:
        ways = (True, False, True, False)
        threads = [threading.Thread(target=bring, args=(journal, here)) for here in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert journal.flush(5)
    assert released == list(range(1, 401))
    assert verify(journal.path).ok
    assert verify(journal.path).rows == 400


def test_a_write_that_fails_here_is_tried_again_by_the_journals_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    released: list[tuple[int, str]] = []

    def release(number: int) -> None:
        released.append((number, threading.current_thread().name))

    with running(tmp_path / "journal.db", on_error=told.append) as journal:
        commit = journal._store.commit

        def refuse(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(journal._store, "commit", refuse)
        with journal.writing():
            journal.append([row(1)], lambda: release(1))
        assert (released, len(told), journal.failing) == ([], 1, True)
        journal.append([row(2)], lambda: release(2))
        monkeypatch.setattr(journal._store, "commit", commit)
        assert journal.flush(10)
        assert not journal.failing
    assert released == [(1, "journal"), (2, "journal")]
    assert verify(journal.path).rows == 2


def test_while_the_disk_refuses_only_the_journals_thread_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by: list[str] = []
    released: list[int] = []
    with running(tmp_path / "journal.db", on_error=lambda _: None) as journal:
        commit = journal._store.commit

        def refuse(*_: object) -> None:
            by.append(threading.current_thread().name)
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(journal._store, "commit", refuse)
        for number in range(20):
            with journal.writing():
                journal.append([row(number)], lambda n=number: released.append(n))
        assert by.count(threading.current_thread().name) == 1
        monkeypatch.setattr(journal._store, "commit", commit)
        assert journal.flush(10)
    assert released == list(range(20))


def test_a_defect_while_writing_here_costs_the_thread_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[int] = []
    with running(tmp_path / "journal.db") as journal:
        commit = journal._store.commit
        here = threading.current_thread()

        def break_here(*given: object) -> object:
            if threading.current_thread() is here:
                raise MemoryError
            return commit(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(journal._store, "commit", break_here)
        with journal.writing():
            journal.append([row(1)], lambda: released.append(1))
        assert journal.flush(10)
    assert released == [1]


def test_what_comes_after_a_row_that_was_written_elsewhere_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path / "journal.db") as journal:
        monkeypatch.setattr("edge.journal.writer.IDLE_S", 3600.0)
        disk = Slow(journal, monkeypatch)
        with journal.writing():
            journal.append([row(1)], lambda: None)
            somebody = threading.Thread(target=lambda: journal.append([row(2)], lambda: None))
            somebody.start()
            # The journal's thread has both in hand: told once more, it will find nothing to do.
            assert disk.hangs.wait(10)
        disk.answers.set()
        somebody.join()
        until(lambda: journal.head == 2)
        for number in (3, 4):
            journal.append([row(number)])
            until(lambda n=number: journal.head == n, 10)


def test_a_disk_that_hangs_here_keeps_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[int] = []
    with running(tmp_path / "journal.db") as journal:
        disk = Slow(journal, monkeypatch)

        def bring() -> None:
            with journal.writing():
                journal.append([row(1)], lambda: released.append(1))

        here = threading.Thread(target=bring)
        here.start()
        assert disk.hangs.wait(10)
        with journal.writing():  # does not wait: who is at it, or the journal's thread, goes on
            journal.append([row(2)], lambda: released.append(2))
        assert (journal.head, released) == (0, [])
        disk.answers.set()
        here.join(10)
        assert journal.flush(10)
    assert released == [1, 2]
