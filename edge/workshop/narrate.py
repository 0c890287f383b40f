"""A made-up day as its author watches it: what happened, what the plugin wants, what came of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from edge.contracts.base import Now, Value
from edge.contracts.signals import (
    ContactChanged,
    OperatorAsked,
    PeopleCounted,
    Signal,
)
from edge.workshop.day import PLACE
from edge.workshop.golden import words
from edge.workshop.report import happening, people
from edge.workshop.stage import Proposed, Scene

_COLOURS = {"given": "green", "refused": "red", "outranked": "yellow", "waits": "yellow"}


def clock(now: Now) -> str:
    """Return the local time of an instant in the made-up room."""
    return datetime.fromtimestamp(now.wall, ZoneInfo(PLACE.timezone)).strftime("%H:%M:%S")


@dataclass(slots=True)
class Narrator:
    """Turns scenes into lines; what was said is not said again until it changes."""

    _people: int = 0
    _meeting: str = "none"
    _wishes: dict[str, tuple[Value, bool, str]] = field(default_factory=dict)
    _stands: dict[str, Value] = field(default_factory=dict)

    def forget(self) -> None:
        """Say everything again: another build is at work."""
        self._wishes.clear()

    def lines(self, scene: Scene) -> Iterator[str]:
        """Yield what is new in a scene."""
        when = clock(scene.now)
        said = self._happened(scene.signal)
        if scene.event is not None and scene.event.meeting != self._meeting:
            self._meeting = scene.event.meeting
            said = f"meeting: {self._meeting} {scene.event.intent}".rstrip()
        if said:
            yield click.style(f"{when}  {said}", fg="cyan")
        if scene.failed and scene.event is not None:
            yield f"{when}  {click.style('FAILED', fg='red')} on {happening(scene.event)}"
            yield f"          {scene.failed}"
        for proposed in scene.proposed:
            yield from self._proposed(proposed, scene, when)
        mine = {proposed.command.actuator for proposed in scene.proposed}
        for command in scene.commands:
            fresh = self._stands.get(command.actuator) != command.value
            self._stands[command.actuator] = command.value
            if fresh and command.actuator not in mine:
                who = f"{command.source}: {command.reason}".rstrip(": ")
                line = f"{when}            {command.actuator} = {command.value}  ({who})"
                yield click.style(line, dim=True)

    def _proposed(self, proposed: Proposed, scene: Scene, when: str) -> Iterator[str]:
        wish = proposed.command
        through = proposed.fate in ("given", "stands")
        key = (wish.value, through, "" if through else proposed.why)
        if self._wishes.get(wish.actuator) == key:
            return
        self._wishes[wish.actuator] = key
        kind = "" if scene.event is None else scene.event.kind
        fate = click.style(proposed.fate, fg=_COLOURS.get(proposed.fate, "green"))
        why = f" by {proposed.why}" if proposed.fate == "refused" else ""
        why = why or (f": {proposed.why}" if proposed.why else "")
        yield f"{when}  {kind:<8}  {words(wish)}  -> {fate}{why}"

    def _happened(self, signal: Signal) -> str:
        match signal:
            case PeopleCounted(count=count) if count != self._people:
                self._people = count
                return f"{people(count) if count else 'nobody'} in the room"
            case ContactChanged(opening=opening, open=is_open):
                return f"{opening} {'open' if is_open else 'closed'}"
            case OperatorAsked(who=who, verb=verb, actuator=actuator, value=value):
                return f"a person at the {who}: {verb} {actuator} {value}".rstrip()
            case _:
                return ""
