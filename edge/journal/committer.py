"""What is written goes through here, and what the disk says of it is told, once."""

import sqlite3
import time
from collections.abc import Callable

import structlog
from prometheus_client import Counter, Histogram

from edge.journal.errors import JournalError
from edge.journal.group import Group
from edge.journal.store import Store

log = structlog.get_logger()

FAILED = Counter("roomkeeper_journal_failed", "Commits that failed and were tried again.")
COMMITS = Histogram(
    "roomkeeper_journal_commit_seconds",
    "One group commit, until it is durable",
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0),
)


class Committer:
    """Writes groups to the store, for one thread at a time.

    on_error hears once when one cannot be written, and why; on_well when they can again.
    """

    def __init__(
        self, store: Store, on_error: Callable[[str], None], on_well: Callable[[], None]
    ) -> None:
        self._store = store
        self._on_error = on_error
        self._on_well = on_well
        self.head = store.head.seq
        """The last durable row."""
        self.failing = False
        self.hanging = False
        """Set by whoever waits for too long; unset here, once the disk has answered."""

    def write(self, group: Group) -> bool:
        """Make a group durable and release it; False: call again with the same."""
        batch = group.batch()
        began = time.perf_counter()
        if not self._attempt(lambda: self._store.commit(batch)):
            return False
        took = time.perf_counter() - began
        self.head += len(batch.rows)
        for entry in group.entries:
            if entry.release is not None:
                call(entry.release)
        COMMITS.observe(took)
        return True

    def settle(self) -> bool:
        """Let readers have what is durable; False: call again."""
        return self._attempt(self._store.settle)

    @property
    def behind(self) -> bool:
        """Whether something is durable that readers may not have yet."""
        return self._store.behind

    def _attempt(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except (sqlite3.Error, OSError, JournalError) as error:
            FAILED.inc()
            if not self.failing:
                self.failing = True
                self.tell(
                    f"{self._store.path} cannot be written ({error}): free space or repair it"
                )
            return False
        if self.failing or self.hanging:
            self.failing = self.hanging = False
            log.info("journal writes again", path=str(self._store.path))
            call(self._on_well)
        return True

    def tell(self, problem: str) -> None:
        """Say what is wrong to whoever hears of it."""
        call(lambda: self._on_error(problem))


def call(function: Callable[[], None]) -> None:
    """Call what others left here; a defect of theirs is theirs alone."""
    try:
        function()
    except Exception:
        log.exception("a call from the journal failed")
