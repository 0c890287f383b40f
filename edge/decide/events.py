"""Which plugin hears of what, and when it is woken to renew its leases."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from edge.contracts.base import Now, Value
from edge.contracts.plugin import EventKind, PluginEvent
from edge.contracts.signals import DeviceReported, NodeReading, Signal
from edge.decide.proposals import PluginRules
from edge.decide.situation import Situation
from edge.fusion.state import RoomState


@dataclass(frozen=True, slots=True)
class Told:
    """What plugins were last told: a change of it is an event."""

    occupied: bool = False
    count: int = 0
    meeting: str = "none"
    intent: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One event for one plugin."""

    plugin: str
    event: PluginEvent


def told(room: RoomState, situation: Situation) -> Told:
    """Return the part of the picture whose change plugins hear of."""
    intent = "" if situation.intent is None else situation.intent.name
    return Told(room.presence.occupied, room.presence.count, situation.meeting, intent)


def happened(signal: Signal, before: Told, after: Told) -> EventKind | None:
    """Return what kind of event this step was for plugins, None when none."""
    if (before.meeting, before.intent) != (after.meeting, after.intent):
        return "meeting"
    if (before.occupied, before.count) != (after.occupied, after.count):
        return "presence"
    match signal:
        case DeviceReported():
            return "device"
        case NodeReading():
            return "reading"
        case _:
            return None


def hearers(
    kind: EventKind | None,
    plugins: Mapping[str, PluginRules],
    ticked: Mapping[str, float],
    now: Now,
) -> dict[str, EventKind]:
    """Return who hears what in this step; a plugin that hears nothing else is ticked when due."""
    found: dict[str, EventKind] = {}
    for source, rules in plugins.items():
        if kind is not None and kind in rules.events:
            found[source] = kind
        elif now.mono >= ticked.get(source, -math.inf) + rules.tick_s:
            found[source] = "tick"
    return found


def calls(hearers: Mapping[str, EventKind], event: PluginEvent) -> tuple[Call, ...]:
    """Return `event` as a call for everyone who hears it."""
    return tuple(
        Call(source, event if kind == event.kind else msgspec.structs.replace(event, kind=kind))
        for source, kind in hearers.items()
    )


def next_due(plugins: Mapping[str, PluginRules], ticked: Mapping[str, float]) -> float:
    """Return the monotonic instant of the next tick."""
    return min(
        (ticked.get(source, 0.0) + rules.tick_s for source, rules in plugins.items()),
        default=math.inf,
    )


def describe(
    ident: str, kind: EventKind | None, room: RoomState, situation: Situation
) -> PluginEvent:
    """Return the room as plugins see it."""
    intent = situation.intent
    targets: dict[str, Value] = {} if intent is None else dict(intent.targets)
    return PluginEvent(
        id=ident,
        kind=kind or "tick",
        occupied=room.presence.occupied,
        probability=room.presence.probability,
        count=room.presence.count,
        meeting=situation.meeting,
        minutes_to_next=round(situation.minutes_to_next, 2),
        intent="" if intent is None else intent.name,
        targets=targets,
        readings={name: reading.value for name, reading in sorted(room.readings.items())},
        reported=dict(room.reported),
    )
