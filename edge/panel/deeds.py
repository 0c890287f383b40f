"""What the room did of itself, newest first. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge.contracts.base import Value
from edge.contracts.commands import CalendarWrite, Command
from edge.panel.controls import WHO, label, show
from edge.panel.past import Past
from edge.panel.voice import Voice

TEXT_LIMIT = 200
VM = "vm/"


@dataclass(frozen=True, slots=True)
class Deed:
    """One automatic action; `id` leads to its explanation. reason: as the room recorded it."""

    id: str
    icon: str
    what: str
    reason: str
    at: str


def deeds(history: Sequence[Past], count: int, voice: Voice, wall: float) -> tuple[Deed, ...]:
    """Return the last `count` automatic actions worth telling.

    Renewing the same value is none, nor a step on the way, nor accepting an invitation.
    """
    told: list[Deed] = []
    set_to: dict[str, Value] = {}
    for past in reversed(history):
        at = voice.moment(past.wall, wall)
        for command in past.decision.commands:
            fresh = set_to.get(command.actuator) != command.value
            set_to[command.actuator] = command.value
            if fresh and command.priority != "manual" and command.toward is None:
                told.append(_command(command, at, voice))
        for write in past.decision.writes:
            if write.verb != "accept" and not by_hand(write):
                told.append(_write(write, at, voice))
    return tuple(told[::-1][:count])


def by_hand(write: CalendarWrite) -> bool:
    """Return whether a person asked for this calendar write at the panel."""
    return write.reason.endswith(f"at the {WHO}")


def before(history: Sequence[Past], command: Command) -> Value | None:
    """Return what the actuator was set to before `command`; None when that is not known."""
    for earlier in _earlier(history, command):
        if earlier.value != command.value:
            return earlier.value
    return None


def _earlier(history: Sequence[Past], command: Command) -> Iterator[Command]:
    found = False
    for past in history:
        for item in reversed(past.decision.commands):
            if found and item.actuator == command.actuator and item.toward is None:
                yield item
            found = found or item.id == command.id


def what(item: Command | CalendarWrite, voice: Voice) -> str:
    """Return the action in words."""
    if isinstance(item, CalendarWrite):
        return voice(f"did_{item.verb}")
    if item.actuator.startswith(VM):
        return voice("did_machine")
    value = show(item.actuator, item.value, voice)
    return voice("did_set", name=label(item.actuator, voice), value=value)


def _command(command: Command, at: str, voice: Voice) -> Deed:
    sort = command.actuator.replace("/", ".").split(".", 1)[0]
    icon = {"light": "light", "climate": "climate", "vm": "machine"}.get(sort, "controls")
    return Deed(command.id, icon, what(command, voice), command.reason[:TEXT_LIMIT], at)


def _write(write: CalendarWrite, at: str, voice: Voice) -> Deed:
    return Deed(write.id, "calendar", what(write, voice), write.reason[:TEXT_LIMIT], at)
