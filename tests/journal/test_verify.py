"""The proof: whatever single thing is changed in the file is found, at the right row."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.journal import JournalError, Verification, verify
from tests.journal.rows import written

COUNT = 12
COLUMNS = {
    "boot": st.integers(0, 2**40),
    "kind": st.sampled_from(["boot", "signal", "decision", "command", "note", ""]),
    "id": st.text(max_size=12),
    "wall": st.floats(allow_nan=False),
    "mono": st.floats(allow_nan=False),
    "trusted": st.integers(-1, 2),
    "payload_hash": st.binary(max_size=33),
    "prev": st.binary(max_size=33),
    "hash": st.binary(max_size=33),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("journal") / "journal.db", COUNT)


def tampered(original: Path, change: Callable[[sqlite3.Connection], object]) -> Verification:
    copy = original.with_name("copy.db")
    shutil.copy(original, copy)
    db = sqlite3.connect(copy)
    with db:
        change(db)
    db.close()
    return verify(copy)


def swap(db: sqlite3.Connection, table: str, one: int, other: int) -> None:
    for old, new in ((one, -1), (other, one), (-1, other)):
        db.execute(f"UPDATE {table} SET seq=? WHERE seq=?", (new, old))


seqs = st.integers(1, COUNT)
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_an_untouched_journal_is_proven(original: Path) -> None:
    found = verify(original)
    assert (found.ok, found.rows, found.bad_seq, found.problem) == (True, COUNT, 0, "")
    assert len(found.head) == 64


@quick
@given(seq=seqs, column=st.sampled_from(sorted(COLUMNS)), data=st.data())
def test_a_changed_field_is_found_at_its_row(
    original: Path, seq: int, column: str, data: st.DataObject
) -> None:
    with sqlite3.connect(original) as db:
        before = db.execute(f"SELECT {column} FROM chain WHERE seq=?", (seq,)).fetchone()[0]
    value = data.draw(COLUMNS[column].filter(lambda drawn: drawn != before))
    found = tampered(
        original, lambda db: db.execute(f"UPDATE chain SET {column}=? WHERE seq=?", (value, seq))
    )
    assert (found.ok, found.bad_seq) == (False, seq)
    assert "changed" in found.problem


@quick
@given(seq=seqs)
def test_a_removed_row_is_found(original: Path, seq: int) -> None:
    found = tampered(original, lambda db: db.execute("DELETE FROM chain WHERE seq=?", (seq,)))
    assert (found.ok, found.bad_seq) == (False, seq)
    assert ("removed" if seq < COUNT else "rows at the end") in found.problem


@quick
@given(one=seqs, other=seqs)
def test_reordered_rows_are_found(original: Path, one: int, other: int) -> None:
    if one == other:
        return
    found = tampered(original, lambda db: swap(db, "chain", one, other))
    first, last = min(one, other), max(one, other)
    assert (found.ok, found.bad_seq) == (False, first)
    assert f"row {first} was written as row {last}" in found.problem


@quick
@given(seq=seqs, body=st.binary(max_size=8))
def test_a_changed_payload_is_found(original: Path, seq: int, body: bytes) -> None:
    if body == b"%d" % seq:
        return
    found = tampered(
        original, lambda db: db.execute("UPDATE payload SET body=? WHERE seq=?", (body, seq))
    )
    assert (found.ok, found.bad_seq) == (False, seq)
    assert "payload" in found.problem


@quick
@given(seq=seqs)
def test_a_removed_or_retyped_payload_is_found(original: Path, seq: int) -> None:
    removed = tampered(original, lambda db: db.execute("DELETE FROM payload WHERE seq=?", (seq,)))
    assert (removed.ok, removed.bad_seq) == (False, seq)
    text = "UPDATE payload SET body=CAST(body AS TEXT) WHERE seq=?"
    assert not tampered(original, lambda db: db.execute(text, (seq,))).ok


def test_swapped_added_and_stray_things_are_found(original: Path) -> None:
    found = tampered(original, lambda db: swap(db, "payload", 3, 8))
    assert (found.ok, found.bad_seq) == (False, 3)
    columns = "boot, kind, id, wall, mono, trusted, payload_hash, prev, hash"
    again = f"INSERT INTO chain SELECT ?, {columns} FROM chain WHERE seq=5"
    for seq in (0, COUNT + 1):
        assert not tampered(original, lambda db, seq=seq: db.execute(again, (seq,))).ok
    stray = tampered(original, lambda db: db.execute("INSERT INTO payload VALUES (99, x'00')"))
    assert (stray.ok, stray.bad_seq) == (False, 99)


def test_a_tail_cut_off_is_found_unless_the_recorded_head_is_forged_too(original: Path) -> None:
    def cut(db: sqlite3.Connection) -> None:
        for table in ("chain", "payload"):
            db.execute(f"DELETE FROM {table} WHERE seq > 9")

    def forge(db: sqlite3.Connection) -> None:
        cut(db)
        db.execute("UPDATE meta SET value=9 WHERE key='head_seq'")
        last = "(SELECT hash FROM chain WHERE seq=9)"
        db.execute(f"UPDATE meta SET value={last} WHERE key='head_hash'")

    assert tampered(original, cut).bad_seq == 10
    forged = tampered(original, forge)
    assert forged.ok
    assert forged.head != verify(original).head


def test_a_damaged_file_is_said_to_be_damaged(original: Path) -> None:
    copy = original.with_name("damaged.db")
    shutil.copy(original, copy)
    size = copy.stat().st_size
    with copy.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    with pytest.raises(JournalError, match="damaged"):
        verify(copy)
