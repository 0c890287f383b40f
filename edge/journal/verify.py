"""Proof: whether a journal's rows are those that were written, all of them, in that order."""

import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.journal.chain import GENESIS, Head, payload_hash, row_hash
from edge.journal.errors import JournalError
from edge.journal.reader import connect_read_only
from edge.journal.redo import lacking, redo_path

_ROWS = (
    "SELECT c.seq, c.boot, c.kind, c.id, c.wall, c.mono, c.trusted, c.payload_hash, c.prev, c.hash,"
    " p.body FROM chain c LEFT JOIN payload p ON p.seq = c.seq ORDER BY c.seq"
)
_STRAYS = "SELECT min(seq) FROM payload WHERE seq NOT IN (SELECT seq FROM chain)"

_Fields = tuple[int, int, str, str, float, float, int, bytes, bytes, bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found. bad_seq: the first row that is wrong, 0 when none is; head: last hash, hex.

    Whoever can write the file can also recompute every hash behind a change, or cut the tail and
    set the recorded head back. Against that, compare `head` with one noted elsewhere before.
    """

    ok: bool
    rows: int
    bad_seq: int = 0
    problem: str = ""
    head: str = ""


def verify(path: Path) -> Verification:
    """Check every row, payload and link; raise JournalError when `path` cannot be read at all."""
    db = connect_read_only(path)
    try:
        db.execute("BEGIN")
        return _verify(db, redo_path(path))
    except sqlite3.Error as error:
        raise JournalError(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise JournalError(f"{redo_path(path)} cannot be read: {error.strerror}") from error
    finally:
        db.close()


def _verify(db: sqlite3.Connection, redo: Path) -> Verification:
    rows, prev = 0, GENESIS
    for fields in _fetch(db):
        problem = _wrong(fields, rows + 1, prev)
        if problem == _changed(fields[0]) and (place := _original_place(db, fields)):
            problem = f"rows were reordered: row {fields[0]} was written as row {place}"
        if problem:
            return Verification(False, rows, rows + 1, problem, prev.hex())
        rows, prev = rows + 1, fields[9]
    meta = dict(db.execute("SELECT key, value FROM meta"))
    written = (meta.get("head_seq", 0), meta.get("head_hash", GENESIS))
    if written != (rows, prev):
        problem = f"the last row written was {written[0]}, the last one there is {rows}"
        return Verification(False, rows, rows + 1, f"rows at the end: {problem}", prev.hex())
    stray = db.execute(_STRAYS).fetchone()[0]
    if stray is not None:
        return Verification(False, rows, stray, f"payload {stray} has no row", prev.hex())
    # What is durable and not in the database yet; each is there only where it follows.
    ident, boot = str(meta.get("journal")), meta.get("boot", 0)
    for _, links in lacking(redo, ident, boot, Head(rows, prev)):
        rows, prev = links[-1][0], links[-1][-1]
    return Verification(True, rows, head=prev.hex())


def _fetch(db: sqlite3.Connection) -> Iterator[_Fields]:
    yield from db.execute(_ROWS)


def _changed(seq: int) -> str:
    return f"row {seq} was changed"


def _wrong(fields: _Fields, expected: int, prev: bytes) -> str:
    seq, row_prev, digest = fields[0], fields[8], fields[9]
    if seq != expected:
        return f"row {expected} was removed" if seq > expected else f"row {seq} was added"
    if _hash(fields, seq) != digest:
        return _changed(seq)
    if row_prev != prev:
        return f"row {seq} does not follow row {seq - 1}: one of them was replaced"
    return _wrong_payload(seq, fields[7], fields[10])


def _wrong_payload(seq: int, payload: bytes, body: bytes | None) -> str:
    if body is None:
        return f"the payload of row {seq} was removed"
    if not isinstance(body, bytes) or payload_hash(body) != payload:
        return f"the payload of row {seq} was changed"
    return ""


def _hash(fields: _Fields, seq: int) -> bytes:
    _, boot, kind, row_id, wall, mono, trusted, payload, prev, _, _ = fields
    if trusted not in (0, 1):
        return b""
    try:
        return row_hash(seq, boot, kind, row_id, wall, mono, bool(trusted), payload, prev)
    except (TypeError, ValueError, AttributeError, OverflowError, struct.error):
        return b""


def _original_place(db: sqlite3.Connection, fields: _Fields) -> int:
    """Return the seq under which this row's hash is right, 0 when there is none."""
    seqs = db.execute("SELECT seq FROM chain")
    return next((seq for (seq,) in seqs if _hash(fields, seq) == fields[9]), 0)
