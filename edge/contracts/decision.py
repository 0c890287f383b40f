"""What the journal keeps of a decision: its cause, what it rested on, what came of it."""

from typing import Literal

from edge.contracts.base import Message
from edge.contracts.commands import CalendarWrite, Command, Verdict


class Promise(Message, frozen=True, omit_defaults=True):
    """Whether a meeting's intent kept at its start what it promised.

    name: ready, machine, temperature or light; by: what was left of the limit (negative: by how
    much it was missed), like `limit` in `unit`.
    """

    meeting: str
    name: str
    outcome: Literal["kept", "missed", "unknown"]
    by: float
    unit: str
    limit: float
    reason: str = ""


class Decision(Message, frozen=True, omit_defaults=True):
    """One step of the loop that changed anything.

    cause: id of the signal's row; notes: what changed, in words; evidence: what presence rested
    on; verdicts: who was refused, by which rule; wanted: version of the published snapshot, 0 when
    it did not change; promises: what became of those that were due.
    """

    cause: str
    occupied: bool
    probability: float
    count: int
    confidence: float
    evidence: tuple[str, ...] = ()
    meeting: str = ""
    phase: str = ""
    intent: str = ""
    notes: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    commands: tuple[Command, ...] = ()
    writes: tuple[CalendarWrite, ...] = ()
    wanted: int = 0
    promises: tuple[Promise, ...] = ()
