"""The journal's writer: takes rows without blocking, commits them in groups, then releases."""

import math
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge, Histogram

from edge.journal.errors import JournalError
from edge.journal.group import Entry, Group, Release, first_group
from edge.journal.reader import Reader
from edge.journal.rows import Row, StoredRow, check, lost_note
from edge.journal.store import Store
from edge.process.backoff import Backoff

log = structlog.get_logger()

ROWS = Counter("roomkeeper_journal_rows", "Rows, by what became of them: durable, lost.", ["what"])
FAILED = Counter("roomkeeper_journal_failed", "Commits that failed and were tried again.")
WAITING = Gauge("roomkeeper_journal_waiting", "Rows in memory that are not durable yet.")
COMMITS = Histogram(
    "roomkeeper_journal_commit_seconds",
    "One group commit",
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0),
)

LINGER_S = 0.005
"""Rows that nobody waits for wait this long for those that follow from them: one sync, not two."""
IDLE_S = 1.0
MEMORY_ROWS = 100_000
MEMORY_BYTES = 64 * 1024 * 1024
CURSOR_S = 0.5
"""A moved cursor waits this long for rows to travel with; losing it costs a few repetitions."""
STOP_S = 0.8
HANG_S = 5.0
"""A commit that neither holds nor fails for so long is told like one that failed."""


def _log_error(text: str) -> None:
    log.error("journal", problem=text)


class Journal:
    """The append-only journal of one room, written by its thread "journal", or where it was asked
    for (`writing`): one group at a time, in the order of appending.

    on_error hears once when rows cannot be made durable, and why; nothing is released meanwhile;
    on_well hears when they can again.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_error: Callable[[str], None] = _log_error,
        on_well: Callable[[], None] = lambda: None,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._mono = mono
        self._store = Store(path)
        self.boot = self._store.boot
        self.ident = self._store.ident
        self._on_error = on_error
        self._on_well = on_well
        self._reader = Reader(path)
        self._durable = self._store.head()
        self._appended = self._durable.seq
        self._cursor = self._store.cursor
        self._cursor_moved = False
        self._entries: deque[Entry] = deque()
        self._rows_held = 0
        self._bytes_held = 0
        self._lost = 0
        self._failing = False
        self._hanging = False
        self._stopping = False
        self._hurry = False
        self._told = False
        self._here: dict[int, bool] = {}
        """Threads that write what they append, and whether something of theirs is urgent."""
        self._group: Group | None = None
        """What could not be written yet: to be tried again, the same."""
        self._listeners: tuple[Callable[[], None], ...] = ()
        lock = threading.RLock()
        self._changed, self._emptied = threading.Condition(lock), threading.Condition(lock)
        self._turn = threading.Lock()
        """Held by whoever writes; taken before the lock of the above, never inside it."""
        self._backoff = Backoff(first=0.1, cap=5.0)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=False)

    # What any thread may call.

    def append(
        self, rows: Sequence[Row], release: Release | None = None, *, more: bool = False
    ) -> int:
        """Take rows without blocking; return the last one's seq, or 0 when memory is full.

        `release` is called on the writing thread once the rows are durable; never when they are
        lost, which is counted and told by a "note" row as soon as there is room again. Rows with a
        release are written at once, others within LINGER_S, or when `more` are about to follow
        from them, with those, within IDLE_S.
        """
        for row in rows:
            check(row)
        size = sum(len(row.body) for row in rows)
        with self._changed:
            self._notice_hanging()
            if self._rows_held + len(rows) > MEMORY_ROWS or self._bytes_held + size > MEMORY_BYTES:
                self._lost += len(rows)
                ROWS.labels("lost").inc(len(rows))
                return 0
            if self._lost and rows:
                rows, self._lost = (lost_note(rows[0], self._lost), *rows), 0
            return self._hold(Entry(tuple(rows), release, size, self._mono()), more)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make durable at the end, here, what this thread appends inside and somebody waits for.

        To wake the journal's thread costs as much as to hand the rows to the disk. For a thread
        that may wait for a disk, and that holds no lock which a release needs.
        """
        this = threading.get_ident()
        self._here[this] = False
        try:
            yield
        finally:
            if self._here.pop(this):
                self._write_here()

    def _write_here(self) -> None:
        # What the disk refused, or does not answer to, is the journal's thread's to try again.
        well = not (self._stopping or self._failing or self._hanging)
        if well and self._turn.acquire(blocking=False):
            try:
                self._write_next()
            except Exception:
                log.exception("journal not written here")
            finally:
                self._turn.release()
        with self._changed:
            if self._entries:
                self._hurry = self._told = True
                self._changed.notify_all()

    def snapshot(self, seq: int, body: bytes) -> None:
        """Keep the state as it was right behind row `seq`; written after the rows before it."""
        with self._changed:
            self._hold(Entry((), None, len(body), self._mono(), (seq, body)))

    def _notice_hanging(self) -> None:
        """Tell that the disk does not answer; who appends notices, our own thread waits for it."""
        if self._entries and not (self._hanging or self._failing):
            waits = self._mono() - self._entries[0].at
            if waits > HANG_S:
                self._hanging = True
                self._tell(f"{self.path}: the disk has not answered for {waits:.0f} s: check it")

    def _hold(self, entry: Entry, more: bool = False) -> int:
        urgent, this = entry.release is not None, threading.get_ident()
        if urgent and this in self._here:
            self._here[this] = True
        elif urgent or not (more or self._told):
            # To wake a thread costs more than all the rest of this.
            self._told = True
            self._hurry = self._hurry or urgent
            self._changed.notify_all()
        self._entries.append(entry)
        self._rows_held += len(entry.rows)
        self._bytes_held += entry.size
        self._appended += len(entry.rows)
        return self._appended

    def when_committed(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the writing thread after each commit of rows; it may not block."""
        self._listeners = (*self._listeners, listener)

    @property
    def head(self) -> int:
        """The last durable row's seq; 0 when there is none."""
        return self._durable.seq

    @property
    def failing(self) -> bool:
        """Whether the last commit failed or hangs, so that rows wait in memory."""
        return self._failing or self._hanging

    def cursor(self) -> int:
        """Return the seq up to which the service has stored the journal."""
        return self._cursor

    def move_cursor(self, seq: int) -> bool:
        """Move the cursor forward; False (and nothing happens) beyond the head or backwards."""
        with self._changed:
            if not self._cursor < seq <= self._durable.seq:
                return False
            self._cursor = seq
            self._cursor_moved = True
            self._changed.notify_all()
            return True

    def set_back(self, seq: int) -> None:
        """Move the cursor backward: what the service had stored behind `seq` is lost there."""
        with self._changed:
            self._cursor = max(0, min(self._cursor, seq))
            self._cursor_moved = True
            self._changed.notify_all()

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[StoredRow]:
        """Yield the durable rows behind `after`, in order."""
        return self._reader.read(after, limit)

    def latest_snapshot(self) -> tuple[int, bytes] | None:
        """Return the newest durable (seq, body), or None."""
        return self._reader.latest_snapshot()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was appended is durable and released; False after `timeout` s."""
        with self._changed:
            self._hurry = bool(self._entries)
            self._changed.notify_all()
            return self._emptied.wait_for(lambda: not self._entries, timeout)

    def start(self) -> None:
        """Start the journal's thread."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is held, within 1 s, then close; what could not be is told and counted."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(1.0)
        self.close()

    def close(self) -> None:
        """Let go of the file, unless somebody still hangs in a commit."""
        if self._thread.is_alive() or not self._turn.acquire(blocking=False):
            return
        self._reader.close()
        self._store.close()

    # What the journal's thread does.

    def _run(self) -> None:
        give_up = math.inf
        while self._wait_for_work():
            while not self._write_in_turn():
                if self._stopping:
                    give_up = min(give_up, time.monotonic() + STOP_S)
                if not self._retry_later(give_up):
                    ROWS.labels("lost").inc(self._rows_held)
                    self._tell(f"{self._rows_held} rows are lost: the process ended before them")
                    return

    def _wait_for_work(self) -> bool:
        """Return once there may be something to write; False: to end."""
        with self._changed:
            while not self._entries and not self._stopping:
                self._told = self._hurry = False
                before = self._cursor_moved
                self._changed.wait(CURSOR_S if before else IDLE_S)
                if before:
                    break
            self._linger()
            return bool(self._entries) or self._cursor_moved or not self._stopping

    def _linger(self) -> None:
        """Wait until somebody waits for the rows held, or LINGER_S at most."""
        until = time.monotonic() + LINGER_S
        while self._entries and not (self._hurry or self._stopping):
            left = until - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _write_in_turn(self) -> bool:
        with self._turn:
            return self._write_next()

    # What whoever writes does, in its turn.

    def _write_next(self) -> bool:
        """Write the next group and release it; False when it could not be written."""
        # The same group until it is durable: whether a failed commit held can then be told.
        group = self._group = self._group or self._gather()
        if group.entries or group.cursor is not None:
            began = time.perf_counter()
            if not self._write(group):
                return False
            took = time.perf_counter() - began
            self._finish(group.entries)
            COMMITS.observe(took)
        self._group = None
        return True

    def _gather(self) -> Group:
        with self._changed:
            self._told = False
            group = first_group(self._entries, self._cursor if self._cursor_moved else None)
            self._hurry = len(group.entries) < len(self._entries)
            self._cursor_moved = False
            return group

    def _write(self, group: Group) -> bool:
        batch = group.batch()
        try:
            if not (self._failing and self._reached_disk(len(batch.rows))):
                self._durable = self._store.commit(batch, self._durable)
        except (sqlite3.Error, OSError, JournalError) as error:
            FAILED.inc()
            if not self._failing:
                self._failing = True
                self._tell(f"{self.path} cannot be written ({error}): free space or repair it")
            return False
        if self._failing or self._hanging:
            self._failing = self._hanging = False
            log.info("journal writes again", path=str(self.path))
            _call(self._on_well)
        self._backoff.reset()
        return True

    def _reached_disk(self, rows: int) -> bool:
        """Ask the file itself whether the commit that reported failure held after all."""
        self._store.reopen()
        head = self._store.head()
        if rows and head.seq == self._durable.seq + rows:
            self._durable = head
            return True
        if head != self._durable:
            raise JournalError(f"somebody else wrote row {head.seq}")
        return False

    def _finish(self, entries: Sequence[Entry]) -> None:
        rows = 0
        for entry in entries:
            rows += len(entry.rows)
            if entry.release is not None:
                _call(entry.release)
        ROWS.labels("durable").inc(rows)
        with self._changed:
            for entry in entries:
                self._entries.popleft()
                self._bytes_held -= entry.size
            self._rows_held -= rows
            WAITING.set(self._rows_held)
            self._emptied.notify_all()
        if rows:
            for listener in self._listeners:
                _call(listener)

    def _retry_later(self, give_up: float) -> bool:
        delay = self._backoff.next()
        with self._changed:
            if not self._stopping:
                self._changed.wait_for(lambda: self._stopping, delay)
                return True
        time.sleep(min(0.05, delay))
        return time.monotonic() < give_up

    def _tell(self, problem: str) -> None:
        _call(lambda: self._on_error(problem))


def _call(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:
        log.exception("a call from the journal failed")
