"""Why did the room do this: a decision told with its cause and what it rested on. Pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from edge.contracts.base import Now
from edge.contracts.decision import Decision
from edge.contracts.signals import MotionChanged, decode_signal
from edge.replay import Kept

_decisions = msgspec.json.Decoder(Decision)

UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, AttributeError, OverflowError, OSError)
"""What is raised about a row whose payload or instant was damaged."""


class Numbered(Kept, Protocol):
    """A journal row with its place."""

    @property
    def seq(self) -> int:
        """The row's number in the journal."""
        ...


def explain(rows: Iterable[Numbered], ident: str) -> Iterator[str]:
    """Yield the lines that explain `ident`: a signal, decision, command or calendar write id.

    Yields nothing when the journal does not hold it; of a row that was damaged, that it was.
    """
    step = ident.split(".", 1)[0]
    for row in rows:
        if row.id.split(".", 1)[0] != step or row.kind not in ("signal", "decision"):
            continue
        try:
            yield from list(_row(row, ident))
        except UNREADABLE:
            yield f"row {row.seq} cannot be read"


def _row(row: Numbered, ident: str) -> Iterator[str]:
    body = row.body or b""
    if row.kind == "signal":
        signal = decode_signal(body)
        yield f"{_when(row.now)}  signal {row.id}: {body.decode()}"
        if isinstance(signal, MotionChanged) and signal.with_next:
            yield "  one of a crowd: where no decision follows it, that of a later one holds for it"
        if isinstance(signal, MotionChanged) and signal.with_answer:
            yield "  where no decision follows it, that on the plugins' answer holds for it"
    else:
        yield f"{_when(row.now)}  decision {row.id}"
        yield from _told(_decisions.decode(body), ident)


def _told(decision: Decision, ident: str) -> Iterator[str]:
    presence = "occupied" if decision.occupied else "empty"
    yield (
        f"  the room was {presence}: probability {decision.probability:.0%}, "
        f"{decision.count} seen, confidence {decision.confidence:.0%}"
    )
    for evidence in decision.evidence:
        yield f"    - {evidence}"
    if decision.meeting:
        yield f"  meeting {decision.meeting} ({decision.phase}), intent {decision.intent}"
    for note in decision.notes:
        yield f"  {note}"
    for promise in decision.promises:
        yield (
            f"  promise {promise.name} of {promise.meeting}: {promise.outcome} by "
            f"{promise.by:g} {promise.unit} (limit {promise.limit:g} {promise.unit}; "
            f"{promise.reason})"
        )
    for verdict in decision.verdicts:
        yield (
            f"  refused: {verdict.source} wanted {verdict.actuator} = {verdict.value} "
            f"({verdict.stage}: {verdict.rule} {verdict.reason})"
        )
    for command in decision.commands:
        mark = "->" if command.id == ident else "  "
        yield (
            f"{mark}command {command.id}: {command.actuator} = {command.value} by "
            f"{command.source} ({command.priority}: {command.reason}), caused by {command.cause}"
        )
    for write in decision.writes:
        mark = "->" if write.id == ident else "  "
        yield f"{mark}calendar {write.id}: {write.verb} {write.uid} ({write.reason})"


def _when(now: Now) -> str:
    return datetime.fromtimestamp(now.wall, UTC).isoformat(timespec="milliseconds")
