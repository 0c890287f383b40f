"""A journal row before and after it was stored."""

import math
from dataclasses import dataclass

import msgspec

from edge.contracts.base import Frozen, Now
from edge.journal.errors import JournalError

KINDS = ("boot", "signal", "decision", "command", "note")


class Row(Frozen, frozen=True):
    """What is to be remembered: kind is one of KINDS, `body` JSON, `id` the name others use.

    A row's place in the chain (`seq`) is given when it is appended.
    """

    kind: str
    id: str
    now: Now
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row with its place in the chain. `body` is None once the payload is gone."""

    seq: int
    boot: int
    kind: str
    id: str
    now: Now
    body: bytes | None
    hash: bytes


def check(row: Row) -> None:
    """Raise JournalError when a row cannot be kept."""
    if row.kind not in KINDS:
        raise JournalError(f"row {row.id}: kind {row.kind!r}; allowed is {', '.join(KINDS)}")
    if not isinstance(row.body, bytes) or not row.id.isprintable():
        raise JournalError(f"row {row.id!r}: the id is printable text, the body bytes")
    if not (math.isfinite(row.now.wall) and math.isfinite(row.now.mono)):
        raise JournalError(f"row {row.id}: its instant is not a number")


def lost_note(row: Row, lost: int) -> Row:
    """Return the row that goes before `row` and says how many before it were lost."""
    body = msgspec.json.encode({"note": "rows lost: memory was full", "rows": lost})
    return Row("note", f"{row.id}.lost", row.now, body)
