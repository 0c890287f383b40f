"""The journal's files: their schema, how they are opened, and the one transaction they know."""

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path

from edge.contracts.base import Frozen
from edge.journal.chain import Head, Link, link
from edge.journal.errors import JournalError, JournalUnusableError
from edge.journal.lock import Lock
from edge.journal.redo import Record, RedoLog, lacking, redo_path
from edge.journal.rows import Row

APPLICATION_ID = 0x524B4A31  # "RKJ1"
FORMAT = 1
SNAPSHOTS_KEPT = 2
MOVE_ROWS = 2000
"""Rows after which SQLite's log is moved into its file."""

_SCHEMA = (
    "CREATE TABLE chain(seq INTEGER PRIMARY KEY, boot INTEGER NOT NULL, kind TEXT NOT NULL,"
    " id TEXT NOT NULL, wall REAL NOT NULL, mono REAL NOT NULL, trusted INTEGER NOT NULL,"
    " payload_hash BLOB NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL)",
    "CREATE TABLE payload(seq INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE snapshot(seq INTEGER PRIMARY KEY, body BLOB NOT NULL)",
)
_COLUMNS = {"chain": 10, "payload": 2}
_SET = "INSERT INTO meta VALUES (?,?) ON CONFLICT(key) DO UPDATE SET value=excluded.value"
_SET_HEAD = _SET.replace("(?,?)", "('head_seq',?),('head_hash',?)")
AT_ONCE = (256, 64, 16, 4, 3, 2, 1)
"""Rows that one statement inserts; few sizes, as each keeps what it inserted last."""
LARGE = 4096
"""Bytes of a body that is inserted alone, for the same reason."""


_body: Callable[[tuple[int, bytearray]], bytearray] = itemgetter(1)


def _bound(links: Iterable[Link]) -> list[tuple[object, ...]]:
    """Return links as they are bound: of int, float, str and bytearray only.

    sqlite3 asks any other value whether it adapts itself, by an exception that costs a microsecond.
    """
    blob = bytearray
    return [
        (seq, boot, kind, ident, wall, mono, int(trusted), blob(payload), blob(prev), blob(digest))
        for seq, boot, kind, ident, wall, mono, trusted, payload, prev, digest in links
    ]


@cache
def _insert(table: str, rows: int) -> str:
    row = f"({','.join('?' * _COLUMNS[table])})"
    return f"INSERT INTO {table} VALUES {','.join([row] * rows)}"  # noqa: S608 - our own names


def _parts(rows: Sequence[tuple[object, ...]]) -> Iterator[Sequence[tuple[object, ...]]]:
    first = 0
    for size in AT_ONCE:
        while len(rows) - first >= size:
            yield rows[first : first + size]
            first += size


def _sized(bodies: Sequence[tuple[int, bytearray]]) -> Iterator[Sequence[tuple[int, bytearray]]]:
    """Yield the rows of payloads in order, each large one by itself."""
    if max(map(len, map(_body, bodies)), default=0) <= LARGE:
        yield bodies
        return
    for large, found in groupby(bodies, lambda row: len(row[1]) > LARGE):
        run = list(found)
        if large:
            yield from ([row] for row in run)
        else:
            yield run


class Batch(Frozen, frozen=True):
    """What one transaction writes. cursor, snapshot: None when unchanged."""

    rows: Sequence[Row]
    cursor: int | None = None
    snapshot: tuple[int, bytes] | None = None


def together(batches: Sequence[Batch]) -> Batch:
    """Return what several batches write, as one; of cursors and snapshots the last one counts."""
    rows = [row for batch in batches for row in batch.rows]
    cursors = [batch.cursor for batch in batches if batch.cursor is not None]
    snapshots = [batch.snapshot for batch in batches if batch.snapshot is not None]
    return Batch(rows, cursors[-1] if cursors else None, snapshots[-1] if snapshots else None)


def identify(db: sqlite3.Connection, path: Path) -> bool:
    """Return whether `db` is a journal, False when empty; raise JournalError when it is foreign."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    if application == APPLICATION_ID:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != FORMAT:
            raise JournalError(
                f"{path} has journal format {version}, this version reads {FORMAT}:"
                " update Roomkeeper or move the file away"
            )
        return True
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise JournalError(f"{path} is a database but no journal: name another file")
    return False


class Store:
    """The writing side of the files; used by one thread at a time, one process at a time.

    `commit` makes rows durable, in the redo log if they are few; `settle`, behind each, lets
    readers have them. head: the last row that the database has.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._lock = Lock(path)
        except OSError as error:
            raise _explained(path, error) from error
        try:
            self._db = self._open()
            self._check_tail()
            self.ident = self._identity()
            self._recover()
            self.boot = self._raise_boot()
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")  # or the redo log is still needed
            self.cursor = min(self._meta_int("cursor"), self.head.seq)
        except (sqlite3.Error, OSError) as error:
            self._lock.close()
            raise _explained(path, error) from error
        except JournalError:
            self._lock.close()
            raise
        self._behind: list[Batch] = []
        """What the redo log alone holds."""
        self._end = self.head.seq
        """The last durable row."""
        self._doubted: tuple[Batch | None, Head] | None = None
        """A write that reported failure: what it was asked to add, and the head if it held."""
        self._suspect = False
        """Something failed, and what was written before may not be on the disk."""
        self._unmoved = 0
        """Rows that only SQLite's log has."""
        try:
            self._redo: RedoLog | None = RedoLog(redo_path(path))
        except OSError:
            self._redo = None  # as durable without, only slower

    def _open(self) -> sqlite3.Connection:
        # Never an open and close of a file that is in use: that drops SQLite's own locks on it.
        if not self.path.exists():
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        db = sqlite3.connect(self.path, timeout=0.25, isolation_level=None, check_same_thread=False)
        try:
            known = identify(db, self.path)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA journal_size_limit=16777216")
            # Our own, as SQLite keeps to itself what goes wrong in one of its.
            db.execute("PRAGMA wal_autocheckpoint=0")
            if not known:
                _create(db)
        except BaseException:
            db.close()
            raise
        self._synced = True
        return db

    def _check_tail(self) -> None:
        last = self._db.execute("SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1").fetchone()
        self.head = self._read_head()
        if self.head != (Head(*last) if last else Head()):
            raise JournalError(
                f"{self.path}: the last row is not the one that was written last, rows were"
                " removed or added: keep the file as evidence, move it away with its -redo, and"
                " start again"
            )

    def _identity(self) -> str:
        """Return the name that tells this file from every other journal of the room."""
        # The one use of chance: a file that replaces a lost one must not pass for it.
        new = "INSERT OR IGNORE INTO meta VALUES (?,?)"
        self._db.execute(new, ("journal", uuid.uuid4().hex))
        found = self._db.execute("SELECT value FROM meta WHERE key='journal'").fetchone()
        return str(found[0])

    def _recover(self) -> None:
        """Put in what the last process made durable in the redo log, and no further."""
        for record, links in lacking(
            redo_path(self.path), self.ident, self._meta_int("boot"), self.head
        ):
            head = Head(links[-1][0], links[-1][-1])
            self._insert(links, Batch(record.rows), head, synced=True)
            self.head = head

    def _raise_boot(self) -> int:
        boot = self._meta_int("boot") + 1
        self._db.execute(_SET, ("boot", boot))
        return boot

    def _meta_int(self, key: str) -> int:
        found = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return int(found[0]) if found else 0

    def _read_head(self) -> Head:
        query = "SELECT value FROM meta WHERE key=?"
        found = self._db.execute(query, ("head_hash",)).fetchone()
        return Head(self._meta_int("head_seq"), found[0]) if found else Head()

    def commit(self, batch: Batch) -> None:
        """Make `batch` durable; readers may have its rows only once they are settled.

        Raises sqlite3.Error, OSError or JournalError; all of the batch is durable then, or none:
        to be called again, with the same, until it does not.
        """
        if not self._log(batch):
            self._write(batch, synced=True)

    def _log(self, batch: Batch) -> bool:
        if self._redo is None or not batch.rows or self._doubted is not None or self._suspect:
            return False
        if batch.cursor is not None and batch.cursor < self.cursor:
            return False  # A cursor that goes back is not lost with the power.
        record = Record(self.ident, self.boot, self._end + 1, tuple(batch.rows))
        if not self._redo.write(record):
            return False
        self._behind.append(batch)
        self._end += len(batch.rows)
        return True

    @property
    def behind(self) -> bool:
        """Whether the redo log alone holds something, so that readers may not have it yet."""
        return bool(self._behind)

    def settle(self) -> None:
        """Put into the database what the redo log alone holds; raises as `commit` does."""
        if self._behind:
            self._write(None, synced=self._redo is None)

    def _write(self, batch: Batch | None, *, synced: bool) -> None:
        """Put into the database what is behind, and `batch` after it, in one transaction."""
        if self._doubted is not None:
            was, head = self._doubted
            if self._held(head):
                self._make_sure()
                self._is_at(head)
                if was == batch:
                    return
        whole = together([*self._behind, batch] if batch is not None else self._behind)
        links, head = link(whole.rows, self.boot, self.head)
        self._doubted = (batch, head)
        try:
            self._insert(links, whole, head, synced=synced)
        except BaseException:
            self._suspect = True
            raise
        if self._suspect:
            self._make_sure()
        self._is_at(head)
        self.cursor = self.cursor if whole.cursor is None else whole.cursor
        self._unmoved += len(links)
        if self._unmoved >= MOVE_ROWS or (self._redo is not None and self._redo.nearly_full):
            self._move()

    def _held(self, head: Head) -> bool:
        """Open the file anew after a write that failed; whether it held after all: it is at `head`.

        After a failed write the connection's view cannot be believed.
        """
        if not self.path.exists():
            # One that was moved away is not replaced by an empty one: it may come back.
            raise FileNotFoundError(f"{self.path} is gone")
        self._db.close()
        self._db = self._open()
        found = self._read_head()
        if found not in (self.head, head):
            raise JournalError(f"somebody else wrote row {found.seq}")
        return found == head != self.head

    def _move(self) -> None:
        """Move what SQLite's log holds into its file; whether that is well, the next write says."""
        try:
            self._make_sure()
        except sqlite3.Error:
            self._suspect = True

    def _make_sure(self) -> None:
        """Move what SQLite's log holds into its file, synced; then the redo log may begin anew.

        A sync that failed is no better for being asked again, as the kernel takes its pages for
        written: what is behind one is durable once it is in the file itself.
        """
        busy, size, moved = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._unmoved = 0
        if not busy and size == moved:  # else somebody is reading: later
            self._suspect = False
            if self._redo is not None:
                self._redo.restart()

    def _is_at(self, head: Head) -> None:
        self._doubted = None
        self.head, self._end = head, head.seq
        self._behind.clear()

    def _insert(self, links: list[Link], batch: Batch, head: Head, *, synced: bool) -> None:
        """Write `batch` behind the head in one transaction. synced: durable when this returns."""
        db = self._db
        self._sync_from_now(synced)
        db.execute("BEGIN IMMEDIATE")
        try:
            if links:
                bodies = [
                    (one[0], bytearray(row.body))
                    for one, row in zip(links, batch.rows, strict=True)
                ]
                self._append("chain", _bound(links))
                for run in _sized(bodies):
                    self._append("payload", run)
                db.execute(_SET_HEAD, (head.seq, head.hash))
            if batch.cursor is not None:
                db.execute(_SET, ("cursor", batch.cursor))
            if batch.snapshot is not None:
                self._write_snapshot(*batch.snapshot)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _sync_from_now(self, synced: bool) -> None:
        if synced is not self._synced:
            self._db.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
            self._synced = synced

    def _append(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        # Each statement gives up the interpreter's lock: row by row, a busy thread makes it wait
        # for a quarter of a millisecond at every row.
        for part in _parts(rows):
            self._db.execute(_insert(table, len(part)), tuple(chain.from_iterable(part)))

    def _write_snapshot(self, seq: int, body: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO snapshot VALUES (?,?)", (seq, body))
        self._db.execute(
            "DELETE FROM snapshot WHERE seq NOT IN"
            " (SELECT seq FROM snapshot ORDER BY seq DESC LIMIT ?)",
            (SNAPSHOTS_KEPT,),
        )

    def close(self) -> None:
        """Close the files and let another process have them."""
        if self._redo is not None:
            self._redo.close(remove=self._all_durable())
        self._db.close()
        self._lock.close()

    def _all_durable(self) -> bool:
        """Sync the database if need be; return whether it needs no redo log any more."""
        try:
            self.settle()
            if self._redo is not None and self._redo.used:
                self._make_sure()
            if self._redo is not None and self._redo.used:
                self._sync_from_now(True)
                self._db.execute(_SET, ("closed", self.boot))  # a change, or nothing is synced
                return not self._suspect
        except (sqlite3.Error, OSError, JournalError):
            return False
        return True


def _create(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        db.execute(statement)
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={FORMAT}")
    db.execute("COMMIT")


def _explained(path: Path, error: Exception) -> JournalUnusableError:
    text = str(error)
    if "not a database" in text or "malformed" in text or "corrupt" in text:
        return JournalUnusableError(
            f"{path} is damaged ({text}): move it away with its -wal and -redo, it can still be"
            " inspected, and start again"
        )
    if isinstance(error, PermissionError) or "readonly" in text or "unable to open" in text:
        return JournalUnusableError(
            f"{path} cannot be written ({text}): make folder and file writable for this user"
        )
    return JournalUnusableError(
        f"{path} cannot be opened ({text}): check that the disk is there, not full"
    )
