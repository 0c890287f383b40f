"""The redo log: what is durable there alone is found, once, whatever else became of the files."""

import errno
import fcntl
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts.base import Now
from edge.journal import (
    Journal,
    JournalError,
    JournalUnusableError,
    Row,
    open_reader,
    redo,
    verify,
)
from edge.journal.chain import Head
from edge.journal.redo import BLOCK, LARGEST, SIZE, Record, RedoLog, lacking, recorded, redo_path
from edge.journal.store import Batch, Store
from tests.journal.rows import row, running
from tests.world.waiting import until


def ids(path: Path) -> list[str]:
    with open_reader(path) as reader:
        return [stored.id for stored in reader.read()]


def copied(path: Path, folder: Path, *endings: str) -> Path:
    """Return a copy of a journal, of the files that survived."""
    folder.mkdir(exist_ok=True)
    for ending in endings:
        shutil.copy(f"{path}{ending}", folder)
    return folder / path.name


def test_power_lost_before_the_database_was_synced_loses_nothing(tmp_path: Path) -> None:
    released: list[int] = []
    path = tmp_path / "journal.db"
    with running(path) as journal:
        # What is on the disk for sure: the database as it was synced last, and the redo log.
        lost = copied(path, tmp_path / "lost", "", "-wal")
        for number in range(1, 41):
            with journal.writing():
                journal.append([row(number)], lambda n=number: released.append(n))
        # Whoever comes while the journal's thread lets readers have rows leaves its own to it.
        until(lambda: released == list(range(1, 41)))
        copied(path, tmp_path / "lost", "-redo")
        assert ids(path) == [f"r1-1-{number}" for number in released]
    with running(lost) as journal:
        assert journal.head == 40
        journal.append([row(41)])
    assert ids(lost) == [f"r1-1-{number}" for number in range(1, 42)]
    assert verify(lost).rows == 41
    assert [stored.boot for stored in open_reader(lost).read(after=39)] == [1, 2]


def test_what_the_log_alone_holds_is_read_found_and_proved(tmp_path: Path) -> None:
    store = Store(tmp_path / "journal.db")
    store.commit(Batch([row(1), row(2)]))
    store.settle()
    store.commit(Batch([row(3)]))
    store.commit(Batch([row(4), row(5)], cursor=1, snapshot=(3, b"state")))
    assert (store.head.seq, store.behind) == (2, True)
    with open_reader(store.path) as reader:
        assert [stored.seq for stored in reader.read()] == [1, 2, 3, 4, 5]
        assert [stored.seq for stored in reader.read(after=3)] == [4, 5]
        assert [stored.seq for stored in reader.read(after=1, limit=2)] == [2, 3]
        assert [stored.body for stored in reader.find("r1-1-4")] == [b"4"]
        assert list(reader.read(after=5)) == []
        hashes = [stored.hash for stored in reader.read()]
    found = verify(store.path)
    assert (found.ok, found.rows, found.head) == (True, 5, hashes[-1].hex())
    store.settle()
    assert (store.head, store.behind) == (Head(5, hashes[-1]), False)
    with open_reader(store.path) as reader:
        assert [stored.hash for stored in reader.read()] == hashes
        assert reader.latest_snapshot() == (3, b"state")
        assert reader.meta()["cursor"] == 1
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == ["journal.db"]


def test_the_log_is_used_again_and_again_and_nothing_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = Store(path)
    count = 3 * SIZE // BLOCK + 7
    for number in range(1, count + 1):
        store.commit(Batch([row(number)]))
        if number % 5 == 0:
            store.settle()
    dead = copied(path, tmp_path / "dead", "", "-wal", "-redo")
    store.close()
    for there in (dead, path):
        assert ids(there) == [f"r1-1-{number}" for number in range(1, count + 1)]
        with running(there) as journal:
            assert journal.head == count
        assert verify(there).rows == count


def test_a_write_to_the_log_is_durable_when_it_returns(tmp_path: Path) -> None:
    # No test can cut the power: this asks the kernel for the flag that survives it.
    store = Store(tmp_path / "journal.db")
    log = store._redo
    assert log is not None
    assert fcntl.fcntl(log._file, fcntl.F_GETFL) & os.O_DSYNC
    assert os.stat(redo_path(store.path)).st_blocks * 512 >= SIZE  # it never has to grow
    store.close()


@pytest.mark.parametrize("beside", [b"", b"RKR1", os.urandom(5000), b"RKR1" + b"\xff" * 9000])
def test_garbage_for_a_log_is_no_log(tmp_path: Path, beside: bytes) -> None:
    path = tmp_path / "journal.db"
    with running(path) as journal:
        journal.append([row(1)])
    redo_path(path).write_bytes(beside)
    assert ids(path) == ["r1-1-1"]
    with running(path) as journal:
        assert journal.head == 1
    assert verify(path).rows == 1


RECORDS = [Record("me", 3, first, (row(first), row(first + 1))) for first in (1, 3, 5)]


@pytest.fixture(scope="module")
def written_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("redo") / "log"
    log = RedoLog(path)
    assert all(log.write(record) for record in RECORDS)
    log.close(remove=False)
    return path


@given(place=st.integers(0, 3 * BLOCK - 1), value=st.integers(0, 255), cut=st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_log_that_was_damaged_gives_what_is_whole_before_that(
    written_log: Path, place: int, value: int, cut: bool
) -> None:
    content = bytearray(written_log.read_bytes())
    assert list(recorded(written_log)) == RECORDS
    content[place] = value
    damaged = written_log.with_name("damaged")
    damaged.write_bytes(content[:place] if cut else content)
    found = list(recorded(damaged))
    assert found == RECORDS[: len(found)]
    assert len(found) >= place // BLOCK
    assert len(list(lacking(damaged, "me", 3, Head()))) == len(found)


@given(st.binary(max_size=3 * BLOCK))
def test_whatever_a_log_holds_it_is_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-redo"
    path.write_bytes(content)
    assert list(recorded(path)) == []


@pytest.mark.parametrize(
    "rows",
    [
        (Row("gossip", "a", Now(1.0, 1.0), b""),),
        (Row("note", "a", Now(float("nan"), 1.0), b""),),
        (Row("note", "a\x00", Now(1.0, 1.0), b""),),
    ],
)
def test_rows_that_no_journal_takes_are_not_taken_from_a_log(
    tmp_path: Path, rows: tuple[Row, ...]
) -> None:
    log = RedoLog(tmp_path / "log")
    assert log.write(Record("me", 1, 1, rows))
    assert list(lacking(tmp_path / "log", "me", 1, Head())) == []


@pytest.mark.parametrize("boot", [2**63, -1])
def test_a_boot_out_of_bounds_is_no_defect(tmp_path: Path, boot: int) -> None:
    log = RedoLog(tmp_path / "log")
    assert log.write(Record("me", boot, 1, (row(1),)))
    assert len(list(lacking(tmp_path / "log", "me", boot, Head()))) == (boot < 0)
    assert list(lacking(tmp_path / "log", "me", 1, Head())) == []


def test_the_log_of_another_journal_is_not_taken_for_ours(tmp_path: Path) -> None:
    store = Store(tmp_path / "old.db")
    store.commit(Batch([row(1), row(2)]))
    shutil.copy(redo_path(store.path), redo_path(tmp_path / "journal.db"))
    store.close()
    with running(tmp_path / "journal.db") as journal:
        assert journal.head == 0
    assert verify(tmp_path / "journal.db").rows == 0


def test_what_is_large_or_many_goes_the_databases_own_way(tmp_path: Path) -> None:
    store = Store(tmp_path / "journal.db")
    for batch in (Batch([row(1, b"x" * LARGEST)]), Batch([row(n) for n in range(2, 80)])):
        store.commit(batch)
        assert not store.behind
        assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    store.commit(Batch([row(80)]))
    assert store.behind
    store.commit(Batch((), cursor=3))
    assert not store.behind
    store.commit(Batch([row(81)], cursor=2))
    assert not store.behind  # a cursor that goes back is not lost with the power
    store.commit(Batch([row(82)], cursor=4))
    assert store.behind
    store.close()
    assert verify(store.path).rows == 82


def test_where_no_log_can_be_made_the_database_alone_is_as_durable(tmp_path: Path) -> None:
    redo_path(tmp_path / "journal.db").mkdir()
    released: list[int] = []
    with running(tmp_path / "journal.db") as journal:
        assert journal._store._redo is None
        with journal.writing():
            journal.append([row(1)], lambda: released.append(1))
        assert released == [1]
        assert [stored.id for stored in journal.read()] == ["r1-1-1"]
        assert journal._store._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_log_that_the_disk_refuses_is_left_until_the_database_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "journal.db")
    pwrite, refused = os.pwrite, [OSError(errno.EIO, "input/output error")]

    def refuse(*given: object) -> int:
        if refused:
            raise refused.pop()
        return pwrite(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(redo.os, "pwrite", refuse)
    store.commit(Batch([row(1)]))
    assert (refused, store.behind, store.head.seq) == ([], False, 1)
    store.commit(Batch([row(2)]))
    assert store.behind
    store.close()
    assert verify(store.path).rows == 2


@pytest.mark.parametrize("held", [False, True])
def test_rows_released_from_the_log_reach_a_database_that_refused_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    told: list[str] = []
    well: list[int] = []
    released: list[int] = []
    path = tmp_path / "journal.db"
    with running(path, on_error=told.append, on_well=lambda: well.append(1)) as journal:
        insert, refusals = journal._store._insert, [1, 2, 3]

        def refuse(*given: object, synced: bool) -> None:
            if refusals:
                refusals.pop()
                if held:
                    insert(*given, synced=synced)  # type: ignore[arg-type]
                raise sqlite3.OperationalError("disk I/O error")
            insert(*given, synced=synced)  # type: ignore[arg-type]

        monkeypatch.setattr(journal._store, "_insert", refuse)
        with journal.writing():
            journal.append([row(1)], lambda: released.append(1))
        assert released == [1]
        until(lambda: journal.failing)
        assert ids(path) == ["r1-1-1"]
        journal.append([row(2)], lambda: released.append(2))
        journal.append([row(3)], lambda: released.append(3))
        assert journal.flush(10)
        assert [stored.id for stored in journal.read()] == ["r1-1-1", "r1-1-2", "r1-1-3"]
    assert released == [1, 2, 3]
    assert len(told) == len(well) >= 1
    assert verify(path).rows == 3


def test_what_only_the_log_holds_at_the_end_stays_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    store = Store(path)

    def refuse(*_: object, synced: bool) -> None:
        raise sqlite3.OperationalError(f"disk I/O error ({synced})")

    monkeypatch.setattr(store, "_insert", refuse)
    store.commit(Batch([row(1)]))
    store.close()
    assert redo_path(path).exists()
    with running(path) as journal:
        assert journal.head == 1
    assert [file.name for file in tmp_path.iterdir()] == ["journal.db"]


def test_readers_hear_of_rows_that_were_written_elsewhere(tmp_path: Path) -> None:
    heard: list[int] = []
    with running(tmp_path / "journal.db") as journal:

        def look() -> None:
            heard.extend(stored.seq for stored in journal.read(after=len(heard)))

        journal.when_committed(look)
        for number in range(1, 6):
            with journal.writing():
                journal.append([row(number)], lambda: None)
        until(lambda: heard == [1, 2, 3, 4, 5])


def test_a_log_that_cannot_be_read_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    store = Store(path)
    store.commit(Batch([row(1)]))
    dead = copied(path, tmp_path / "dead", "", "-wal", "-redo")
    store.close()
    with monkeypatch.context() as broken:

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EIO, "input/output error")

        broken.setattr(Path, "open", refuse)
        with pytest.raises(JournalUnusableError, match="input/output error"):
            Store(dead)
        with pytest.raises(JournalError, match="input/output error"):
            ids(dead)
        with pytest.raises(JournalError, match="input/output error"):
            verify(dead)
    assert ids(dead) == ["r1-1-1"]
    assert not list(tmp_path.glob("dead/*.lock"))
    with running(dead) as journal:
        assert journal.head == 1


def test_what_a_start_left_that_others_went_past_is_not_put_behind_theirs(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = Store(path)
    for number in (1, 2, 3):
        store.commit(Batch([row(number)]))
    dead = copied(path, tmp_path / "dead", "", "-wal", "-redo")
    store.close()
    log = redo_path(dead).read_bytes()
    redo_path(dead).unlink()  # as for a version that knows of no such log
    with running(dead) as journal:
        journal.append([row(11), row(12)])
    redo_path(dead).write_bytes(log)
    with running(dead) as journal:
        assert journal.head == 2
    assert ids(dead) == ["r1-1-11", "r1-1-12"]


def test_the_log_lies_where_the_database_does(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    link = tmp_path / "journal.db"
    link.symlink_to(tmp_path / "data" / "journal.db")
    store = Store(link)
    store.commit(Batch([row(1)]))
    assert redo_path(tmp_path / "data" / "journal.db").exists()
    assert ids(tmp_path / "data" / "journal.db") == ids(link) == ["r1-1-1"]
    store.close()


def test_the_log_begins_anew_only_behind_what_is_in_the_database_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "journal.db")
    log, restarts = store._redo, []
    assert log is not None
    restart = log.restart

    def note() -> None:
        restarts.append(store.head.seq)
        restart()

    monkeypatch.setattr(log, "restart", note)
    insert = store._insert

    def fail(*given: object, synced: bool) -> None:
        insert(*given, synced=synced)  # type: ignore[arg-type]
        raise sqlite3.OperationalError("disk I/O error")

    store.commit(Batch([row(1)]))
    with monkeypatch.context() as broken:
        broken.setattr(store, "_insert", fail)
        with pytest.raises(sqlite3.OperationalError):
            store.settle()
    assert (restarts, store.behind) == ([], True)
    # It held; but only a database that holds it itself, synced, is believed after that.
    with sqlite3.connect(tmp_path / "journal.db") as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM chain").fetchone() == (1,)
        other.execute("COMMIT")
    store.settle()
    assert (len(restarts), store.behind, store.head.seq) == (1, False, 1)
    for number in range(2, SIZE // BLOCK + 2):
        store.commit(Batch([row(number)]))
        store.settle()
    assert len(restarts) == 2
    assert restarts[1] > SIZE // BLOCK * 3 // 4
    wal = Path(f"{store.path}-wal").stat().st_size
    for number in range(200, 20_000, 400):
        store.commit(Batch([row(n) for n in range(number, number + 400)]))
    assert Path(f"{store.path}-wal").stat().st_size < max(wal, 16 * 1024 * 1024)
    store.close()
    assert verify(store.path).ok


def test_whoever_hurries_keeps_nobody_from_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    journal = Journal(tmp_path / "journal.db", mono=lambda: now[0])
    heads: list[int] = []
    journal.when_committed(lambda: heads.append(journal.readable))

    def again(number: int) -> None:
        now[0] += 0.006
        if number < 12:
            journal.append([row(number)], lambda: again(number + 1))

    again(1)
    journal.start()
    until(lambda: journal.head == 11)
    assert journal.flush(5)
    journal.stop()
    assert len(heads) >= 2
    assert heads[-1] == 11
