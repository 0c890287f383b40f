"""What is held until it is durable, and what of it one commit writes. Pure."""

from collections.abc import Callable, Iterable

from edge.contracts.base import Frozen
from edge.journal.rows import Row
from edge.journal.store import Batch

GROUP_LIMIT = 2_000

Release = Callable[[], None]


class Entry(Frozen, frozen=True, gc=True):
    """What was appended at once. release: called once it is durable; at: monotonic instant.

    snapshot: the state right behind a row's seq.
    """

    rows: tuple[Row, ...]
    release: Release | None
    size: int
    at: float
    snapshot: tuple[int, bytes] | None = None


class Group(Frozen, frozen=True, gc=True):
    """What one commit writes: the oldest entries held, and a cursor that moved."""

    entries: tuple[Entry, ...]
    cursor: int | None

    def batch(self) -> Batch:
        """Return it as the store takes it; of several snapshots the newest counts."""
        snapshots = [entry.snapshot for entry in self.entries if entry.snapshot is not None]
        rows = [row for entry in self.entries for row in entry.rows]
        return Batch(rows, self.cursor, snapshots[-1] if snapshots else None)


def first_group(held: Iterable[Entry], cursor: int | None) -> Group:
    """Return the oldest of `held`: at least one, and GROUP_LIMIT rows at most."""
    entries: list[Entry] = []
    rows = 0
    for entry in held:
        rows += len(entry.rows)
        if entries and rows > GROUP_LIMIT:
            break
        entries.append(entry)
    return Group(tuple(entries), cursor)
