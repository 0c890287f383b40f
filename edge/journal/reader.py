"""Reading a journal: beside its writer, after its writer died, or a copy of it."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge.contracts.base import Now
from edge.journal.chain import GENESIS, Head
from edge.journal.errors import JournalError
from edge.journal.redo import lacking, redo_path
from edge.journal.rows import StoredRow
from edge.journal.store import identify

CHUNK = 500

_SELECT = (
    "SELECT c.seq, c.boot, c.kind, c.id, c.wall, c.mono, c.trusted, c.hash, p.body"
    " FROM chain c LEFT JOIN payload p ON p.seq = c.seq"
)

_PROVE = "`roomkeeper-edge audit verify` tells what was changed"


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write; raise JournalError when `path` is no journal."""
    try:
        if not path.is_file():
            raise JournalError(f"{path} is no file: name the journal")
        address = path.resolve().as_uri()
        unwritten = not Path(f"{path}-wal").exists()
    except OSError as error:
        raise JournalError(
            f"{path} cannot be looked at: {error.strerror}: name a journal that this user may read"
        ) from error
    errors = []
    # A file on a medium that cannot be written needs `immutable`, which ignores a write-ahead log.
    for query in ("?mode=ro", "?mode=ro&immutable=1") if unwritten else ("?mode=ro",):
        try:
            db = sqlite3.connect(
                address + query,
                uri=True,
                timeout=2.0,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            errors.append(str(error))
            continue
        try:
            if not identify(db, path):
                raise JournalError(f"{path} is empty: name the journal")
            return db
        except sqlite3.Error as error:
            db.close()
            errors.append(str(error))
        except JournalError:
            db.close()
            raise
    raise JournalError(
        f"{path} cannot be read ({errors[0]}): it is no journal or damaged; a copy needs the file"
        " ending in -wal and -redo beside it, in a folder that can be written"
    )


class Reader:
    """A reading side; any thread may use it. `close` it.

    redo: whether to read on in the redo log, where a writer may have died before the database had
    its last rows.
    """

    def __init__(self, path: Path, *, redo: bool = True) -> None:
        self._db = connect_read_only(path)
        self._redo = redo_path(path) if redo else None
        self._lock = threading.Lock()

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[StoredRow]:
        """Yield the durable rows behind `after` in order, at most `limit`.

        Rows that are committed meanwhile are seen too; no lock is held between chunks.
        """
        left = limit if limit is not None else -1
        while left:
            rows = self._chunk(after, min(left, CHUNK) if left > 0 else CHUNK)
            if not rows:
                rows = self._tail(after, left)
            if not rows:
                return
            yield from rows
            after = rows[-1].seq
            left -= len(rows) if left > 0 else 0

    def _chunk(self, after: int, limit: int) -> list[StoredRow]:
        found = self._query(f"{_SELECT} WHERE c.seq > ? ORDER BY c.seq LIMIT ?", after, limit)
        return [_stored(row) for row in found]

    def _tail(self, after: int, left: int) -> list[StoredRow]:
        """Return what is durable behind `after` and was not in the database a moment ago."""
        if self._redo is None:
            return []
        meta = self.meta()
        head = head_of(meta)
        if head.seq > after:
            return self._chunk(after, min(left, CHUNK) if left > 0 else CHUNK)
        found = [row for row in self._logged(meta, head) if row.seq > after]
        if not found and head_of(self.meta()).seq > after:
            return self._chunk(after, min(left, CHUNK) if left > 0 else CHUNK)  # moved just now
        return found[:left] if left > 0 else found

    def _logged(self, meta: Mapping[str, object], head: Head) -> list[StoredRow]:
        """Return what the redo log holds behind `head`."""
        boot, path = meta.get("boot"), self._redo
        if path is None or not isinstance(boot, int):
            return []
        found: list[StoredRow] = []
        try:
            for record, links in lacking(path, str(meta.get("journal")), boot, head):
                for row, at in zip(record.rows, links, strict=True):
                    found.append(
                        StoredRow(at[0], record.boot, row.kind, row.id, row.now, row.body, at[-1])
                    )
        except OSError as error:
            raise JournalError(f"{path} cannot be read: {error.strerror}") from error
        return found

    def _query(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(text, values).fetchall()
            except sqlite3.Error as error:
                raise JournalError(f"the journal cannot be read: {error}") from error

    def find(self, row_id: str) -> list[StoredRow]:
        """Return the rows with this id, oldest first; looks through the whole journal."""
        end = head_of(self.meta()).seq
        found = [_stored(row) for row in self._query(f"{_SELECT} WHERE c.id = ?", row_id)]
        known = {row.seq for row in found}
        late = self._tail(end, -1)
        return found + [row for row in late if row.id == row_id and row.seq not in known]

    def latest_snapshot(self) -> tuple[int, bytes] | None:
        """Return the newest (seq, body), or None."""
        found = self._query("SELECT seq, body FROM snapshot ORDER BY seq DESC LIMIT 1")
        return (found[0][0], found[0][1]) if found else None

    def meta(self) -> dict[str, object]:
        """Return journal, boot, cursor, head_seq and head_hash as far as they were written."""
        return {str(key): value for key, value in self._query("SELECT key, value FROM meta")}

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def head_of(meta: Mapping[str, object]) -> Head:
    """Return the head that a journal's `meta` names; JournalError when it is none."""
    seq, digest = meta.get("head_seq", 0), meta.get("head_hash", GENESIS)
    if not (isinstance(seq, int) and isinstance(digest, bytes)):
        raise JournalError(f"the journal's head is damaged; {_PROVE}")
    return Head(seq, digest)


def _stored(row: tuple[Any, ...]) -> StoredRow:
    seq, boot, kind, row_id, wall, mono, trusted, digest, body = row
    try:
        now = Now(float(wall), float(mono), bool(trusted))
    except (TypeError, ValueError) as error:
        raise JournalError(
            f"row {seq} cannot be read: its instant is no number; {_PROVE}"
        ) from error
    if not (isinstance(kind, str) and isinstance(row_id, str)):
        raise JournalError(f"row {seq} cannot be read: its kind or id is no text; {_PROVE}")
    return StoredRow(seq, boot, kind, row_id, now, body, digest)


def open_reader(path: Path) -> Reader:
    """Open a journal for reading only; it may be in use, abandoned, or a copy."""
    return Reader(path)
