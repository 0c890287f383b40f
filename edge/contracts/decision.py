"""What the journal keeps of a decision: its cause, what it rested on, what came of it."""

from edge.contracts.base import Message
from edge.contracts.commands import CalendarWrite, Command, Verdict


class Decision(Message, frozen=True, omit_defaults=True):
    """One step of the loop that changed anything.

    cause: id of the signal's row; notes: what changed, in words; evidence: what presence rested
    on; verdicts: who was refused, by which rule; wanted: version of the published snapshot, 0 when
    it did not change.
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
