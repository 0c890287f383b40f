"""The journal as its callers see it: durable before released, numbered, resumed, bounded."""

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from edge.contracts.base import Now
from edge.journal import Journal, JournalError, Row, open_reader, verify, writer
from tests.journal.rows import row, running, written
from tests.world.waiting import until


def test_rows_are_durable_before_they_are_released(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    seen: list[tuple[str, list[str]]] = []

    def release() -> None:
        with open_reader(path) as reader:
            ids = [stored.id for stored in reader.read()]
        seen.append((threading.current_thread().name, ids))

    with running(path) as journal:
        assert journal.append([row(1), row(2)], release) == 2
        assert journal.flush(5)
    assert seen == [("journal", ["r1-1-1", "r1-1-2"])]


def test_a_row_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = Row("decision", "zürich-3-7.d", Now(1.5, 2.25, False), b'{"a":1}')
    with running(tmp_path / "journal.db") as journal:
        journal.append([kept])
        assert journal.flush(5)
        (stored,) = journal.read()
    assert (stored.seq, stored.boot, len(stored.hash)) == (1, 1, 32)
    assert Row(stored.kind, stored.id, stored.now, stored.body or b"") == kept


def test_groups_of_every_size_with_bodies_of_every_size_come_back(tmp_path: Path) -> None:
    bodies = [b"%d" % n + b"x" * (10_000 if n % 37 == 5 else n % 90) for n in range(1500)]
    sizes = [*range(1, 40), 63, 64, 65, 128, 130]
    with running(tmp_path / "journal.db") as journal:
        left = list(enumerate(bodies))
        for size in sizes:
            group, left = left[:size], left[size:]
            journal.append([row(number, body) for number, body in group])
            assert journal.flush(5)
        journal.append([row(number, body) for number, body in left])
        assert journal.flush(5)
        assert [stored.body for stored in journal.read()] == bodies
    assert verify(tmp_path / "journal.db").rows == len(bodies)


def test_numbers_have_no_gap_over_starts_and_each_start_has_its_own(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for boot in (1, 2, 3):
        with running(path) as journal:
            assert journal.boot == boot
            assert journal.head == (boot - 1) * 5
            journal.append([row(number) for number in range(5)])
    with open_reader(path) as reader:
        found = [(stored.seq, stored.boot) for stored in reader.read()]
    assert found == [(seq, 1 + (seq - 1) // 5) for seq in range(1, 16)]
    assert verify(path).ok


def test_a_journal_keeps_its_name_and_another_one_has_another(tmp_path: Path) -> None:
    names = []
    for path in ("a.db", "a.db", "b.db"):
        with running(tmp_path / path) as journal:
            names.append(journal.ident)
    assert names[0] == names[1] != names[2]
    assert all(1 <= len(name) <= 64 for name in names)


def test_a_journal_from_before_names_gets_one(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.db", 3)
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM meta WHERE key='journal'")
    with running(path) as journal:
        name = journal.ident
    with running(path) as journal:
        assert journal.ident == name
        assert journal.head == 3


def test_reading_goes_on_where_it_was_asked_to_and_stops_at_the_limit(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.db", 1203)
    with open_reader(path) as reader:
        assert [stored.seq for stored in reader.read(after=1200)] == [1201, 1202, 1203]
        assert [stored.seq for stored in reader.read(after=3, limit=2)] == [4, 5]
        assert len(list(reader.read(limit=1100))) == 1100
        assert len(list(reader.read())) == 1203
        assert list(reader.read(limit=0)) == []
        assert [stored.seq for stored in reader.find("r1-1-77")] == [77]


def test_the_cursor_only_moves_forward_within_the_journal_and_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with running(path) as journal:
        journal.append([row(number) for number in range(10)])
        assert journal.flush(5)
        assert not journal.move_cursor(11)
        assert journal.move_cursor(7)
        assert not journal.move_cursor(7)
        assert not journal.move_cursor(3)
        assert journal.cursor() == 7
    with running(path) as journal:
        assert journal.cursor() == 7


def test_the_newest_snapshot_is_found_and_older_ones_are_thinned(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with running(path) as journal:
        assert journal.latest_snapshot() is None
        for number in range(1, 6):
            journal.snapshot(journal.append([row(number)]), b"state %d" % number)
            assert journal.flush(5)
        assert journal.latest_snapshot() == (5, b"state 5")
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM snapshot").fetchone() == (2,)


def test_listeners_hear_of_every_commit_and_a_bad_release_hurts_nobody(tmp_path: Path) -> None:
    heard: list[int] = []

    def raises() -> None:
        raise RuntimeError("as drivers do")

    with running(tmp_path / "journal.db") as journal:
        journal.when_committed(lambda: heard.append(journal.head))
        journal.append([row(1)], raises)
        assert journal.flush(5)
        journal.append([row(2)], lambda: heard.append(-2))
        assert journal.flush(5)
    assert heard == [1, -2, 2]


def test_memory_is_bounded_and_what_is_lost_is_told_in_the_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MEMORY_ROWS", 3)
    journal = Journal(tmp_path / "journal.db")
    released: list[int] = []
    assert journal.append([row(1), row(2), row(3)], lambda: released.append(3)) == 3
    assert journal.append([row(4)], lambda: released.append(4)) == 0
    assert journal.append([row(5)], lambda: released.append(5)) == 0
    journal.start()
    assert journal.flush(5)
    assert journal.append([row(6)], lambda: released.append(6)) == 5
    assert journal.flush(5)
    stored = list(journal.read())
    journal.stop()
    assert released == [3, 6]
    assert [entry.kind for entry in stored] == ["signal"] * 3 + ["note", "signal"]
    assert stored[3].body == b'{"note":"rows lost: memory was full","rows":2}'
    assert verify(tmp_path / "journal.db").ok


@pytest.mark.parametrize(
    "bad",
    [
        Row("gossip", "a", Now(1.0, 1.0), b""),
        Row("note", "a", Now(float("nan"), 1.0), b""),
        Row("note", "a", Now(1.0, float("inf")), b""),
        Row("note", "a\ud800", Now(1.0, 1.0), b""),
        Row("note", "a", Now(1.0, 1.0), "text"),  # type: ignore[arg-type]
    ],
)
def test_a_row_that_cannot_be_kept_is_refused_at_once(tmp_path: Path, bad: Row) -> None:
    with running(tmp_path / "journal.db") as journal:
        with pytest.raises(JournalError):
            journal.append([bad])
        journal.append([row(1)])
        assert journal.flush(5)


def test_files_are_for_their_owner_alone_and_nothing_but_the_journal_stays(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with running(path) as journal:
        journal.append([row(1)])
        assert journal.flush(5)
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert [entry.name for entry in tmp_path.iterdir()] == ["journal.db"]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with running(path), pytest.raises(JournalError, match="another process"):
        Journal(path)
    with running(path):
        pass


def test_what_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no database at all, but long enough to look at" * 100)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine(x)")
    for path, reason in ((text, "damaged"), (other, "no journal")):
        before = path.read_bytes()
        with pytest.raises(JournalError, match=reason):
            Journal(path)
        with pytest.raises(JournalError):
            open_reader(path)
        assert path.read_bytes() == before
    with pytest.raises(JournalError, match="no file"):
        open_reader(tmp_path / "absent")
    with pytest.raises(JournalError, match="cannot be"):
        Journal(tmp_path / "no" / "folder.db")
    assert not list(tmp_path.glob("*.lock"))


def test_a_newer_format_is_not_touched(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.db", 2)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=9")
    with pytest.raises(JournalError, match="format 9"):
        Journal(path)


def test_a_tail_that_was_cut_is_not_built_upon(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.db", 5)
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM chain WHERE seq=5")
    with pytest.raises(JournalError, match="evidence"):
        Journal(path)


def test_a_reader_reads_beside_the_writer_and_from_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with running(path) as journal:
        journal.append([row(1), row(2)])
        assert journal.flush(5)
        with open_reader(path) as reader:
            journal.append([row(3)])
            assert journal.flush(5)
            assert [stored.seq for stored in reader.read()] == [1, 2, 3]
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("journal.db", "journal.db-wal", "journal.db-redo"):
            (copy / name).write_bytes((tmp_path / name).read_bytes())
    with open_reader(copy / "journal.db") as reader:
        assert [stored.seq for stored in reader.read()] == [1, 2, 3]
    assert verify(copy / "journal.db").rows == 3


def test_a_finished_copy_is_read_where_nothing_may_be_written(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.db", 3)
    if os.getuid() != 0:
        pytest.skip("changes user, which takes root")

    def look() -> int:
        with open_reader(path) as reader:
            return len(list(reader.read()))

    assert as_nobody(path, look) == "3"


def test_a_journal_that_may_not_be_written_says_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.db", 3)
    if os.getuid() != 0:
        pytest.skip("changes user, which takes root")
    assert "writable for this user" in as_nobody(path, lambda: Journal(path))


def test_a_journal_out_of_this_users_reach_is_named(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    path = written(tmp_path / "open" / "journal.db", 1)
    locked = tmp_path / "locked"
    locked.mkdir(0o700)
    hidden = written(locked / "journal.db", 1)
    private = written(tmp_path / "open" / "private.db", 1)
    private.chmod(0o600)
    if os.getuid() != 0:
        pytest.skip("changes user, which takes root")
    for folder in (tmp_path.parent.parent, tmp_path.parent):
        folder.chmod(folder.stat().st_mode | 0o055)
    for call in (open_reader, verify):
        refused = as_nobody(path, lambda call=call: call(hidden))
        assert refused.startswith(f"{hidden} cannot be looked at: Permission denied")
        refused = as_nobody(path, lambda call=call: call(private))
        assert refused.startswith(f"{private} cannot be read (unable to open")


def test_a_name_that_no_file_has_is_no_journal(tmp_path: Path) -> None:
    for length in (254, 400):
        path = tmp_path / ("x" * length)
        if length == 254:
            written(tmp_path / "journal.db", 1).rename(path)
        with pytest.raises(JournalError, match="cannot be looked at: File name too long"):
            open_reader(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("wall = 'abc'", "row 2 cannot be read: its instant is no number"),
        ("mono = x'00ff'", "row 2 cannot be read: its instant is no number"),
        ("kind = x'00'", "row 2 cannot be read: its kind or id is no text"),
    ],
)
def test_a_row_whose_columns_were_changed_is_named(tmp_path: Path, change: str, said: str) -> None:
    path = written(tmp_path / "journal.db", 3)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE chain SET {change} WHERE seq = 2")
    with open_reader(path) as reader, pytest.raises(JournalError, match=said):
        list(reader.read())


def as_nobody(path: Path, call) -> str:  # type: ignore[no-untyped-def]
    """Return what `call` returns, or its error's text, for a user who may only read `path`."""
    for folder in path.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    path.chmod(0o444)
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        try:
            answer = str(call())
        except BaseException as error:  # noqa: BLE001 - the child ends here, told or not
            answer = str(error)
        os.write(write_end, answer.encode())
        os._exit(0)
    os.close(write_end)
    os.waitpid(child, 0)
    with os.fdopen(read_end) as answers:
        return answers.read()


def test_a_commit_reaches_the_disk_not_only_the_kernel(tmp_path: Path) -> None:
    # No test can cut the power: this asks SQLite for the setting that survives it.
    with running(tmp_path / "journal.db") as journal:
        journal.append([row(number) for number in range(100)])
        assert journal.flush(5)
        assert journal._store._db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert journal._store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_rows_nobody_waits_for_go_with_those_that_follow_in_one_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LINGER_S", 60.0)
    with running(tmp_path / "j.db") as journal:
        heads: list[int] = []
        journal.when_committed(lambda: heads.append(journal.head))
        journal.append([row(1)])
        journal.append([row(2)])
        journal.append([row(3)], lambda: None)
        until(lambda: heads)
        assert heads == [3]
        journal.append([row(4)])
        assert journal.flush(5)
        until(lambda: heads == [3, 4], what="listeners hear of it once it is flushed")
        journal.append([row(5)])
    with open_reader(tmp_path / "j.db") as reader:
        assert [found.seq for found in reader.read()] == [1, 2, 3, 4, 5]


def test_rows_nobody_waits_for_become_durable_by_themselves(tmp_path: Path) -> None:
    with running(tmp_path / "j.db") as journal:
        journal.append([row(1)])
        until(lambda: journal.head == 1)


def test_rows_that_others_follow_from_wait_for_these(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "IDLE_S", 60.0)
    with running(tmp_path / "journal.db") as journal:
        commits: list[int] = []
        journal.when_committed(lambda: commits.append(journal.head))
        journal.append([row(1)], more=True)
        journal.append([row(2)], lambda: None)
        until(lambda: commits)
        assert commits == [2]


def test_rows_that_nothing_follows_from_do_not_wait_for_ever(tmp_path: Path) -> None:
    with running(tmp_path / "journal.db") as journal:
        journal.append([row(1)], more=True)
        until(lambda: journal.head == 1)
