"""What stands in for a journal that cannot be opened for writing, until it can."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import structlog

from edge.journal.errors import JournalError
from edge.journal.reader import Reader
from edge.journal.rows import Row, StoredRow
from edge.journal.store import Store
from edge.process.backoff import Backoff

log = structlog.get_logger()

STOP_S = 1.0


class AbsentJournal:
    """Keeps nothing and releases nothing, so that a room acts plainly; what can be read is read.

    Its thread "journal" tries to open the file again; `on_back` is called once when that works:
    then the process is to start anew, with a journal.
    """

    boot, ident, head, readable, failing = 0, "", 0, 0, True

    def __init__(
        self,
        path: Path,
        reason: str,
        *,
        on_error: Callable[[str], None],
        on_back: Callable[[], None],
    ) -> None:
        self.path = path
        self._reason = reason
        self._on_error = on_error
        self._on_back = on_back
        self._backoff = Backoff(first=1.0, cap=15.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=False)

    def append(
        self,
        _rows: Sequence[Row],
        _release: Callable[[], None] | None = None,
        *,
        more: bool = False,  # noqa: ARG002
    ) -> int:
        """Lose the rows; what hangs on them is never released."""
        return 0

    def writing(self) -> AbstractContextManager[None]:
        """Do nothing at the end: nothing is written."""
        return nullcontext()

    def snapshot(self, _seq: int, _body: bytes) -> None:
        """Lose the snapshot."""

    def when_committed(self, _listener: Callable[[], None]) -> None:
        """Never call the listener."""

    def cursor(self) -> int:
        """Return 0: there is nothing to send."""
        return 0

    def move_cursor(self, _seq: int) -> bool:
        """Return False: there is no cursor."""
        return False

    def set_back(self, _seq: int) -> None:
        """Do nothing."""

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[StoredRow]:
        """Yield what an earlier start wrote behind `after`; JournalError when nobody can."""
        reader = Reader(self.path)
        try:
            yield from reader.read(after, limit)
        finally:
            reader.close()

    def latest_snapshot(self) -> tuple[int, bytes] | None:
        """Return what an earlier start kept; JournalError when nobody can."""
        reader = Reader(self.path)
        try:
            return reader.latest_snapshot()
        finally:
            reader.close()

    def start(self) -> None:
        """Say what is wrong, and begin to try."""
        self._on_error(self._reason)
        self._thread.start()

    def stop(self) -> None:
        """End within a second."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stop.wait(self._backoff.next()):
            try:
                Store(self.path).close()
            except JournalError as error:
                log.debug("journal still absent", problem=str(error))
                continue
            log.info("journal can be written again: starting anew", path=str(self.path))
            self._on_back()
            return
