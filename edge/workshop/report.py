"""What another build would have changed in a recording, in words and in time."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edge.contracts.base import Now, Value
from edge.contracts.commands import Command, PluginCommand, Verdict
from edge.contracts.decision import Decision
from edge.contracts.plugin import PluginEvent
from edge.workshop.golden import words
from edge.workshop.whatif import Answers, Decided

SHOWN = 20
"""Differences of a kind that are shown unless all are asked for."""
Wish = tuple[str, Value, float]


@dataclass(slots=True)
class Report:
    """Counts and lines. otherwise: actuator -> seconds it stood at another value."""

    events: int = 0
    answered_otherwise: int = 0
    worded_otherwise: int = 0
    failed: int = 0
    decisions: int = 0
    decided_otherwise: int = 0
    proposals: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    otherwise: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    _was: dict[str, Value] = field(default_factory=dict)
    _would: dict[str, Value] = field(default_factory=dict)
    _last: Now | None = None

    @property
    def same(self) -> bool:
        """Whether this build would have changed nothing."""
        return not (self.answered_otherwise or self.failed or self.decided_otherwise)

    def take(self, found: Answers | Decided) -> None:
        """Take in the next thing of a recording."""
        self._pass(found.now)
        if isinstance(found, Answers):
            self._answers(found)
        else:
            self._decided(found)

    def lines(self, everything: bool = False) -> Iterator[str]:
        """Yield the report."""
        for title, found in (("answers", self.proposals), ("decisions", self.effects)):
            blocks = found if everything else found[:SHOWN]
            if blocks:
                yield f"{title} that come out otherwise (- recorded, + this build):"
                yield from blocks
            if len(found) > len(blocks):
                yield f"  ... and {len(found) - len(blocks)} more: --all shows them"
        yield (
            f"{self.events} events answered: {self.answered_otherwise} otherwise, "
            f"{self.worded_otherwise} in other words, {self.failed} not at all"
        )
        yield f"{self.decisions} decisions: {self.decided_otherwise} otherwise"
        for actuator, seconds in sorted(self.otherwise.items()):
            yield f"{actuator} would have stood otherwise for {seconds:.1f} of {self.seconds:.1f} s"
        if self.same:
            yield "this build would have changed nothing"

    def _pass(self, now: Now) -> None:
        # A restart begins a new monotonic clock: the time between is nobody's.
        passed = 0.0 if self._last is None else max(0.0, now.mono - self._last.mono)
        self._last = now
        self.seconds += passed
        for actuator in self._was.keys() | self._would.keys():
            if self._was.get(actuator) != self._would.get(actuator):
                self.otherwise[actuator] = self.otherwise.get(actuator, 0.0) + passed

    def _answers(self, found: Answers) -> None:
        for event in found.events:
            self.events += 1
            old = [c for c in found.old or () if c.event == event.id]
            new = [c for c in found.new or () if c.event == event.id]
            if found.new is None:
                self.failed += 1
            elif _wishes(old) != _wishes(new) or found.old is None:
                self.answered_otherwise += 1
            else:
                self.worded_otherwise += old != new
                continue
            head = f"  {clock(found.now)}  {happening(event)}  [{event.id}]"
            before = [f"    - {words(c)}" for c in old] or ["    - nothing"]
            after = [f"    + {words(c)}" for c in new] or [f"    + {found.failed or 'nothing'}"]
            self.proposals.append("\n".join([head, *before, *after]))

    def _decided(self, found: Decided) -> None:
        self.decisions += 1
        was, would = _news(found.old, self._was), _news(found.new, self._would)
        lines = []
        for actuator in sorted(was.keys() | would.keys()):
            old, new = was.get(actuator), would.get(actuator)
            if old is not None and new is not None and old.value == new.value:
                continue
            lines.append(f"    - {_stands(actuator, old, self._was)}")
            lines.append(f"    + {_stands(actuator, new, self._would)}")
        refused = set(_refusals(found.new)) - set(_refusals(found.old))
        lines += [f"    + refused: {text}" for text in sorted(refused)]
        allowed = set(_refusals(found.old)) - set(_refusals(found.new))
        lines += [f"    - refused: {text}" for text in sorted(allowed)]
        if lines:
            self.decided_otherwise += 1
            head = f"  {clock(found.now)}  after {type(found.signal).__name__}  [{found.id}]"
            self.effects.append("\n".join([head, *lines]))
        self._was |= {actuator: command.value for actuator, command in was.items()}
        self._would |= {actuator: command.value for actuator, command in would.items()}


def clock(now: Now) -> str:
    """Return the local time of an instant."""
    return time.strftime("%H:%M:%S", time.localtime(now.wall))


def people(count: int) -> str:
    """Return so many people in words."""
    return "1 person" if count == 1 else f"{count} people"


def happening(event: PluginEvent) -> str:
    """Return an event as a person reads it."""
    parts = ["occupied" if event.occupied else "empty"]
    if event.count:
        parts = [people(event.count)]
    if event.meeting != "none":
        parts.append(f"meeting {event.meeting}")
    if event.intent:
        parts.append(event.intent)
    parts += [f"{name} {value:g}" for name, value in sorted(event.readings.items())]
    return f"{event.kind}: {', '.join(parts)}"


def _wishes(commands: Sequence[PluginCommand]) -> list[Wish]:
    return [(c.actuator, c.value, c.lease_s) for c in commands]


def _news(decision: Decision | None, standing: dict[str, Value]) -> dict[str, Command]:
    """Return the commands that move an actuator; a lease that is renewed moves nothing."""
    commands = () if decision is None else decision.commands
    return {c.actuator: c for c in commands if standing.get(c.actuator) != c.value}


def _stands(actuator: str, command: Command | None, standing: dict[str, Value]) -> str:
    if command is None:
        return f"{actuator} stays at {standing.get(actuator, 'what it was')}"
    return f"{actuator} = {command.value}  ({command.source}: {command.reason})"


def _refusals(decision: Decision | None) -> Iterator[str]:
    verdicts: tuple[Verdict, ...] = () if decision is None else decision.verdicts
    for verdict in verdicts:
        if not verdict.allowed:
            wish = f"{verdict.actuator} = {verdict.value} by {verdict.source}"
            yield f"{wish}: {verdict.stage} {verdict.rule} {verdict.reason}".rstrip()
