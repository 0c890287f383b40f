"""Rows and journals for the tests of this package."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.contracts.base import Now
from edge.journal import Journal, Row


def row(number: int, body: bytes = b"", kind: str = "signal") -> Row:
    return Row(kind, f"r1-1-{number}", Now(1000.0 + number, number / 8), body or b"%d" % number)


@contextmanager
def running(path: Path, **options: object) -> Iterator[Journal]:
    journal = Journal(path, **options)  # type: ignore[arg-type]
    journal.start()
    try:
        yield journal
    finally:
        journal.stop()


def written(path: Path, count: int) -> Path:
    with running(path) as journal:
        journal.append([row(number) for number in range(1, count + 1)])
        assert journal.flush(5)
    return path
