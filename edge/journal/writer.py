"""The journal's writer: takes rows without blocking, commits them in groups, then releases."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge

from edge.journal.committer import Committer, call
from edge.journal.group import Entry, Group, Release, first_group
from edge.journal.reader import Reader
from edge.journal.rows import Row, StoredRow, check, lost_note
from edge.journal.store import Store
from edge.process.backoff import Backoff

log = structlog.get_logger()

ROWS = Counter("roomkeeper_journal_rows", "Rows, by what became of them: durable, lost.", ["what"])
WAITING = Gauge("roomkeeper_journal_waiting", "Rows in memory that are not durable yet.")

LINGER_S = 0.005
"""Rows that nobody waits for wait this long for those that follow from them: one sync, not two."""
LATE_S = 0.02
"""Rows that are durable can be read after so long at most, whoever else waits for the disk."""
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
        self._committer = Committer(self._store, on_error, on_well)
        self._reader = Reader(path, redo=False)
        self._appended = self._committer.head
        self._cursor = self._store.cursor
        self._cursor_moved = False
        self._entries: deque[Entry] = deque()
        self._rows_held = 0
        self._bytes_held = 0
        self._lost = 0
        self._stopping = False
        self._hurry = False
        self._told = False
        self._here: dict[int, bool] = {}
        """Threads that write what they append, and whether something of theirs is urgent."""
        self._group: Group | None = None
        """What could not be written yet: to be tried again, the same. Whether a failed commit held
        can be told only then."""
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._behind_at = math.inf
        """Since when something is durable that cannot be read."""
        self._unheard = False
        """Whether there are rows that listeners were not told of."""
        # Taken itself, in C: the conditions' own way to it is Python, at every row.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._emptied = threading.Condition(self._lock)
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
        size = 0
        for row in rows:
            check(row)
            size += len(row.body)
        with self._lock:
            self._notice_hanging()
            if self._rows_held + len(rows) > MEMORY_ROWS or self._bytes_held + size > MEMORY_BYTES:
                self._lost += len(rows)
                ROWS.labels("lost").inc(len(rows))
                return 0
            if self._lost and rows:
                rows, self._lost = (lost_note(rows[0], self._lost), *rows), 0
            return self._hold(Entry(tuple(rows), release, size, self._mono()), more)

    def writing(self) -> AbstractContextManager[None]:
        """Make durable at the end, here, what this thread appends inside and somebody waits for.

        To wake the journal's thread costs as much as to hand the rows to the disk. For a thread
        that may wait for a disk, and that holds no lock which a release needs.
        """
        return _Writing(self._here, self._write_here)

    def _write_here(self) -> None:
        # What the disk refused, or does not answer to, is the journal's thread's to try again.
        well = not (self._stopping or self.failing)
        if well and self._turn.acquire(blocking=False):
            try:
                self._write_next()
            except Exception:
                log.exception("journal not written here")
            finally:
                self._turn.release()
        with self._lock:
            if self._entries:
                self._hurry = self._told = True
                self._changed.notify_all()
            elif self._committer.behind and not self._told:
                self._told = True
                self._changed.notify_all()

    def snapshot(self, seq: int, body: bytes) -> None:
        """Keep the state as it was right behind row `seq`; written after the rows before it."""
        with self._lock:
            self._hold(Entry((), None, len(body), self._mono(), (seq, body)))

    def _notice_hanging(self) -> None:
        """Tell that the disk does not answer; who appends notices, our own thread waits for it."""
        if self._entries and not self.failing:
            waits = self._mono() - self._entries[0].at
            if waits > HANG_S:
                self._committer.hanging = True
                self._committer.tell(
                    f"{self.path}: the disk has not answered for {waits:.0f} s: check it"
                )

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
        """Call `listener` on the writing thread once rows can be read; it may not block."""
        self._listeners = (*self._listeners, listener)

    @property
    def head(self) -> int:
        """The last durable row's seq; 0 when there is none."""
        return self._committer.head

    @property
    def readable(self) -> int:
        """The last row that `read` yields; behind `head` for LATE_S at most."""
        return self._store.head.seq

    @property
    def failing(self) -> bool:
        """Whether the last commit failed or hangs, so that rows wait in memory."""
        return self._committer.failing or self._committer.hanging

    def cursor(self) -> int:
        """Return the seq up to which the service has stored the journal."""
        return self._cursor

    def move_cursor(self, seq: int) -> bool:
        """Move the cursor forward; False (and nothing happens) beyond the head or backwards."""
        with self._lock:
            if not self._cursor < seq <= self.head:
                return False
            self._cursor = seq
            self._cursor_moved = True
            self._changed.notify_all()
            return True

    def set_back(self, seq: int) -> None:
        """Move the cursor backward: what the service had stored behind `seq` is lost there."""
        with self._lock:
            self._cursor = max(0, min(self._cursor, seq))
            self._cursor_moved = True
            self._changed.notify_all()

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[StoredRow]:
        """Yield the rows behind `after`, in order: durable, and for LATE_S at most not here."""
        return self._reader.read(after, limit)

    def latest_snapshot(self) -> tuple[int, bytes] | None:
        """Return the newest durable (seq, body), or None."""
        return self._reader.latest_snapshot()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was appended is durable, released and here to read.

        False after `timeout` s.
        """
        with self._lock:
            self._hurry = self._waits
            self._changed.notify_all()
            return self._emptied.wait_for(lambda: not self._waits, timeout)

    def start(self) -> None:
        """Start the journal's thread."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is held, within 1 s, then close; what could not be is told and counted."""
        with self._lock:
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
                    if self._rows_held:
                        self._lose()
                    return

    def _lose(self) -> None:
        ROWS.labels("lost").inc(self._rows_held)
        self._committer.tell(f"{self._rows_held} rows are lost: the process ended before them")

    @property
    def _waits(self) -> bool:
        """Whether something is to be written, or to be let readers have."""
        return bool(self._entries) or self._committer.behind

    def _wait_for_work(self) -> bool:
        """Return once there may be something to write; False: to end."""
        with self._lock:
            while not (self._waits or self._stopping):
                self._told = self._hurry = False
                before = self._cursor_moved
                self._changed.wait(CURSOR_S if before else IDLE_S)
                if before:
                    break
            self._linger()
            return self._waits or self._cursor_moved or not self._stopping

    def _linger(self) -> None:
        """Wait until somebody waits for the rows held, or LINGER_S at most."""
        until = time.monotonic() + LINGER_S
        while self._waits and not (self._hurry or self._stopping):
            left = until - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(left)

    def _write_in_turn(self) -> bool:
        with self._turn:
            if not self._write_next():
                return False
            late = self._mono() - self._behind_at > LATE_S
            # Who waits for the disk goes first, but not for ever.
            return (self._hurry and not late) or self._settle()

    def _settle(self) -> bool:
        """Let readers have what is durable; False when that failed."""
        if not self._committer.behind:
            return True
        if not self._committer.settle():
            return False
        self._backoff.reset()
        self._behind_at = math.inf
        self._tell_readers()
        with self._lock:
            self._emptied.notify_all()
        return True

    # What whoever writes does, in its turn.

    def _write_next(self) -> bool:
        """Write the next group and release it; False when it could not be written."""
        group = self._group = self._group or self._gather()
        if group.entries or group.cursor is not None:
            if not self._committer.write(group):
                return False
            self._backoff.reset()
            self._finish(group.entries)
            if not self._committer.behind:
                self._behind_at = math.inf
                self._tell_readers()
            elif self._behind_at == math.inf:
                self._behind_at = self._mono()
        self._group = None
        return True

    def _gather(self) -> Group:
        with self._lock:
            self._told = False
            group = first_group(self._entries, self._cursor if self._cursor_moved else None)
            self._hurry = len(group.entries) < len(self._entries)
            self._cursor_moved = False
            return group

    def _finish(self, entries: Sequence[Entry]) -> None:
        rows = sum(len(entry.rows) for entry in entries)
        ROWS.labels("durable").inc(rows)
        with self._lock:
            for entry in entries:
                self._entries.popleft()
                self._bytes_held -= entry.size
            self._rows_held -= rows
            WAITING.set(self._rows_held)
            self._emptied.notify_all()
        self._unheard = self._unheard or rows > 0

    def _tell_readers(self) -> None:
        unheard, self._unheard = self._unheard, False
        for listener in self._listeners if unheard else ():
            call(listener)

    def _retry_later(self, give_up: float) -> bool:
        delay = self._backoff.next()
        with self._lock:
            if not self._stopping:
                self._changed.wait_for(lambda: self._stopping, delay)
                return True
        time.sleep(min(0.05, delay))
        return time.monotonic() < give_up


class _Writing:
    """Notes that this thread writes what it appends, and writes that at the end."""

    def __init__(self, here: dict[int, bool], write: Callable[[], None]) -> None:
        self._here, self._write = here, write

    def __enter__(self) -> None:
        self._here[threading.get_ident()] = False

    def __exit__(self, *_: object) -> None:
        if self._here.pop(threading.get_ident(), False):
            self._write()
