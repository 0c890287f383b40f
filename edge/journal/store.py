"""The journal's file: its schema, how it is opened, and the one transaction it knows."""

import fcntl
import os
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

from edge.journal.chain import GENESIS, payload_hash, row_hash
from edge.journal.errors import JournalError, JournalUnusableError
from edge.journal.rows import Row

APPLICATION_ID = 0x524B4A31  # "RKJ1"
FORMAT = 1
SNAPSHOTS_KEPT = 2

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
AT_ONCE = (64, 16, 4, 3, 2, 1)
"""Rows that one statement inserts; few sizes, as each keeps what it inserted last."""
LARGE = 4096
"""Bytes of a body that is inserted alone, for the same reason."""


@cache
def _insert(table: str, rows: int) -> str:
    row = f"({','.join('?' * _COLUMNS[table])})"
    return f"INSERT INTO {table} VALUES {','.join([row] * rows)}"  # noqa: S608 - our own names


def _parts(rows: Sequence[tuple[object, ...]]) -> Iterator[Sequence[tuple[object, ...]]]:
    first = 0
    while first < len(rows):
        part = rows[first : first + next(n for n in AT_ONCE if n <= len(rows) - first)]
        if any(isinstance(row[-1], bytes) and len(row[-1]) > LARGE for row in part):
            part = part[:1]
        yield part
        first += len(part)


@dataclass(frozen=True, slots=True)
class Head:
    """The last durable row: its place and its hash."""

    seq: int = 0
    hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction writes. cursor, snapshot: None when unchanged."""

    rows: Sequence[Row]
    cursor: int | None = None
    snapshot: tuple[int, bytes] | None = None


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
    """The writing side of the file; used by one thread at a time, one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._lock = _Lock(path)
        except OSError as error:
            raise _explained(path, error) from error
        try:
            self._db = self._open()
            self.boot = self._raise_boot()
            self.ident = self._identity()
            self.cursor = min(self._meta_int("cursor"), self.head().seq)
        except (sqlite3.Error, OSError) as error:
            self._lock.close()
            raise _explained(path, error) from error
        except JournalError:
            self._lock.close()
            raise

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
            if not known:
                _create(db)
        except BaseException:
            db.close()
            raise
        return db

    def _raise_boot(self) -> int:
        self._check_tail()
        boot = self._meta_int("boot") + 1
        self._db.execute(_SET, ("boot", boot))
        return boot

    def _identity(self) -> str:
        """Return the name that tells this file from every other journal of the room."""
        # The one use of chance: a file that replaces a lost one must not pass for it.
        new = "INSERT OR IGNORE INTO meta VALUES (?,?)"
        self._db.execute(new, ("journal", uuid.uuid4().hex))
        found = self._db.execute("SELECT value FROM meta WHERE key='journal'").fetchone()
        return str(found[0])

    def _check_tail(self) -> None:
        last = self._db.execute("SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1").fetchone()
        head = self.head()
        if (head.seq, head.hash) != (last or (0, GENESIS)):
            raise JournalError(
                f"{self.path}: the last row is not the one that was written last, rows were"
                " removed or added: keep the file as evidence, move it away and start again"
            )

    def _meta_int(self, key: str) -> int:
        found = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return int(found[0]) if found else 0

    def head(self) -> Head:
        """Return the last durable row, read from the file."""
        query = "SELECT value FROM meta WHERE key=?"
        found = self._db.execute(query, ("head_hash",)).fetchone()
        return Head(self._meta_int("head_seq"), found[0]) if found else Head()

    def reopen(self) -> None:
        """Open the file again: after a failed write the connection's view cannot be believed."""
        if not self.path.exists():
            # One that was moved away is not replaced by an empty one: it may come back.
            raise FileNotFoundError(f"{self.path} is gone")
        self._db.close()
        self._db = self._open()

    def commit(self, batch: Batch, head: Head) -> Head:
        """Write `batch` behind `head` in one durable transaction; return the new head.

        Raises sqlite3.Error or OSError; the file then holds all of the batch or none.
        """
        links, payloads, new_head = self._chained(batch.rows, head)
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            if links:
                self._append("chain", links)
                self._append("payload", payloads)
                db.execute(_SET_HEAD, (new_head.seq, new_head.hash))
            if batch.cursor is not None:
                db.execute(_SET, ("cursor", batch.cursor))
            if batch.snapshot is not None:
                self._write_snapshot(*batch.snapshot)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return new_head

    def _append(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        # Each statement gives up the interpreter's lock: row by row, a busy thread makes it wait
        # for a quarter of a millisecond at every row.
        for part in _parts(rows):
            self._db.execute(_insert(table, len(part)), tuple(chain.from_iterable(part)))

    def _chained(
        self, rows: Sequence[Row], head: Head
    ) -> tuple[list[tuple[object, ...]], list[tuple[int, bytes]], Head]:
        links: list[tuple[object, ...]] = []
        payloads: list[tuple[int, bytes]] = []
        seq, prev = head.seq, head.hash
        for row in rows:
            seq += 1
            now = row.now
            payload = payload_hash(row.body)
            trusted = bool(now.trusted)
            fields = (seq, self.boot, row.kind, row.id, now.wall, now.mono, trusted, payload, prev)
            prev = row_hash(*fields)
            links.append((*fields, prev))
            payloads.append((seq, row.body))
        return links, payloads, Head(seq, prev)

    def _write_snapshot(self, seq: int, body: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO snapshot VALUES (?,?)", (seq, body))
        self._db.execute(
            "DELETE FROM snapshot WHERE seq NOT IN"
            " (SELECT seq FROM snapshot ORDER BY seq DESC LIMIT ?)",
            (SNAPSHOTS_KEPT,),
        )

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._db.close()
        self._lock.close()


def _create(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        db.execute(statement)
    db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    db.execute(f"PRAGMA user_version={FORMAT}")
    db.execute("COMMIT")


class _Lock:
    """Held while a process writes the journal; the kernel lets go when the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = Path(f"{path}.lock")
        while True:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self._descriptor)
                raise JournalError(
                    f"{path} is written by another process: stop that one or name another file"
                ) from None
            if self._is_named():
                return
            os.close(self._descriptor)

    def _is_named(self) -> bool:
        """Whether the file we locked still has its name: its last holder may have removed it."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def _explained(path: Path, error: Exception) -> JournalUnusableError:
    text = str(error)
    if "not a database" in text or "malformed" in text or "corrupt" in text:
        return JournalUnusableError(
            f"{path} is damaged ({text}): move it away, it can still be inspected, and start again"
        )
    if isinstance(error, PermissionError) or "readonly" in text or "unable to open" in text:
        return JournalUnusableError(
            f"{path} cannot be written ({text}): make folder and file writable for this user"
        )
    return JournalUnusableError(
        f"{path} cannot be opened ({text}): check that the disk is there, not full"
    )
