"""A journal row before and after it was stored."""

from dataclasses import dataclass

from edge.contracts.base import Now

KINDS = ("boot", "signal", "decision", "command", "note")


@dataclass(frozen=True, slots=True)
class Row:
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
