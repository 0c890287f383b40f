"""One database: opened, its tables made, its errors told as StoreError."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, Inspector, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.schema import Table
from sqlalchemy.sql.dml import Insert

from cloud_bridge.store.tables import metadata

BUSY_MS, PAUSE_S = 5000, 0.02
OURS = {"events", "rooms", "wanted"}
"""Tables of every version."""
TABLES_LOCK = 7_360_175
"""Any number that nobody else locks in the same database."""


class StoreError(Exception):
    """The database did not do what it was asked; the text says what and why."""


class Store:
    """A database at `url`, shared by the service's processes; every method is one transaction."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            self.sqlite = parsed.get_backend_name() == "sqlite"
            if self.sqlite and parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
                if names := _strange(Path(parsed.database)):
                    raise StoreError(
                        f"database {_shown(url)} is of something else (it has "
                        f"{', '.join(names[:4])}): name another file"
                    )
            self._engine: Engine = create_engine(parsed, pool_pre_ping=not self.sqlite)
        except (ArgumentError, ImportError, OSError, ValueError) as error:
            raise StoreError(f"database {_shown(url)}: {error}") from error
        if self.sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._reader = self._engine.execution_options(reads_only=True)
        with self.begin() as connection:
            if not self.sqlite:
                # Processes that start at once would each find no table and make it.
                connection.execute(text(f"SELECT pg_advisory_xact_lock({TABLES_LOCK})"))
            there = inspect(connection)
            if there.has_table("events") and "journal" not in _columns(there):
                raise StoreError(
                    f"database {_shown(url)} is of an earlier version: move it away and start again"
                )
            metadata.create_all(connection)
        self._identity = self._look()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a connection whose work is committed at the end, or undone; raise StoreError."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"database: {error}") from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that only reads and so waits for no writer; raise StoreError."""
        try:
            with self._reader.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"database: {error}") from error

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """Return an INSERT that knows ON CONFLICT in this database's words."""
        return sqlite.insert(table) if self.sqlite else postgresql.insert(table)

    def upsert(self, table: Table, **values: object) -> Insert:
        """Return an INSERT that replaces the row of the same primary key."""
        keys = [column.name for column in table.primary_key]
        changed = {name: value for name, value in values.items() if name not in keys}
        statement = self.insert(table).values(values)
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)

    def ping(self) -> None:
        """Raise StoreError unless the database answers."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def replaced(self) -> bool:
        """Return whether the database is not the one that was opened: wiped, or put back.

        Who works on goes on with what is no more. False while it does not answer.
        """
        try:
            return self._look() != self._identity
        except StoreError:
            return False

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def _look(self) -> object:
        """Return what tells this database from one made later in its place."""
        if self.sqlite:
            name = self._engine.url.database
            if not name or name == ":memory:":
                return None
            try:
                found = Path(name).stat()
            except OSError:
                return None
            return found.st_dev, found.st_ino
        with self.read() as connection:
            return connection.execute(text("SELECT to_regclass('events')::oid")).scalar()


def _columns(there: Inspector) -> set[str]:
    return {column["name"] for column in there.get_columns("events")}


def _strange(path: Path) -> list[str]:
    """Return what a file holds that is no database of the service, changing no byte of it."""
    query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
    where = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(where, uri=True, timeout=BUSY_MS / 1000)) as db:
            names = [str(name) for (name,) in db.execute(query)]
    except (sqlite3.Error, OSError, ValueError):  # who opens it to write will say why
        return []
    return [] if OURS.issubset(names) else names


def _prepare_sqlite(connection: object, _record: ConnectionPoolEntry) -> None:
    # The driver's own BEGIN comes too late: a reader that turns writer would fail at once.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for setting in (
        f"busy_timeout={BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        _patiently(cursor, f"PRAGMA {setting}")
    cursor.close()


def _patiently(cursor: sqlite3.Cursor, statement: str) -> None:
    """Execute; where several turn a new database to its journal, SQLite itself does not wait."""
    deadline = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            cursor.execute(statement)
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    reads_only = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _shown(url: str) -> str:
    """Return a database's URL as people may read it: without its password."""
    try:
        return repr(make_url(url).render_as_string(hide_password=True))
    except (ArgumentError, ValueError):
        return "of [store] url"
