"""Which plugin hears of what, and when it is woken to renew its leases."""

import math
from collections.abc import Mapping

import msgspec

from edge.contracts.base import Consent, Frozen, Now
from edge.contracts.plugin import EventKind, PluginEvent
from edge.contracts.signals import (
    ContactChanged,
    DeviceReported,
    NodeReading,
    Signal,
    SoundMeasured,
)
from edge.decide.proposals import PluginRules
from edge.decide.situation import Situation
from edge.decide.sky import Place, sky
from edge.fusion.state import READING_STALE_S, FusionRules, Reading, RoomState

_KINDS: Mapping[type, EventKind] = {
    DeviceReported: "device",
    NodeReading: "reading",
    SoundMeasured: "sound",
    ContactChanged: "contact",
}
"""Signals that are events by themselves, whatever they changed."""


class Told(Frozen, frozen=True):
    """What plugins were last told: a change of it is an event."""

    occupied: bool = False
    count: int = 0
    meeting: str = "none"
    intent: str = ""
    consent: Consent = "all"


class Call(Frozen, frozen=True):
    """One event for one plugin."""

    plugin: str
    event: PluginEvent


def told(room: RoomState, situation: Situation) -> Told:
    """Return the part of the picture whose change plugins hear of."""
    intent, presence = situation.intent, room.presence
    name = "" if intent is None else intent.name
    return Told(presence.occupied, presence.count, situation.meeting, name, room.consent)


def happened(signal: Signal, before: Told, after: Told) -> EventKind | None:
    """Return what kind of event this step was for plugins, None when none."""
    if (before.meeting, before.intent) != (after.meeting, after.intent):
        return "meeting"
    if (before.occupied, before.count) != (after.occupied, after.count):
        return "presence"
    if before.consent != after.consent:
        return "consent"
    return _KINDS.get(type(signal))


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
    found = []  # A comprehension is a function of its own, made anew at every edge of a crowd.
    for source, kind in hearers.items():
        heard = event if kind == event.kind else msgspec.structs.replace(event, kind=kind)
        found.append(Call(source, heard))
    return tuple(found)


def next_due(plugins: Mapping[str, PluginRules], ticked: Mapping[str, float]) -> float:
    """Return the monotonic instant of the next tick."""
    return min(
        (ticked.get(source, 0.0) + rules.tick_s for source, rules in plugins.items()),
        default=math.inf,
    )


class View(Frozen, frozen=True):
    """What plugins are shown besides the room itself."""

    situation: Situation
    place: Place
    fusion: FusionRules
    now: Now


def describe(ident: str, kind: EventKind | None, room: RoomState, view: View) -> PluginEvent:
    """Return the room as plugins see it; what is too old to be believed is left out."""
    # At every edge of a crowd: nothing is called for what is not there, and nothing copied.
    situation, presence, mono = view.situation, room.presence, view.now.mono
    above = sky(view.place, view.now.wall)
    timed = view.now.trusted and room.clock_trusted
    intent, following = situation.intent, situation.next_intent
    to_next, to_end = situation.minutes_to_next, situation.minutes_to_end
    heard_s = view.fusion.voice_stale_s
    level, voice, clipped = room.level, room.voice, room.clipped
    # In the order of the fields: two dozen names would cost as much as all the rest of this.
    return PluginEvent(
        ident,
        kind or "tick",
        presence.occupied,
        presence.probability,
        presence.count,
        situation.meeting,
        to_next if to_next < 0 else round(to_next, 2),
        "" if intent is None else intent.name,
        {} if intent is None else dict(intent.targets),
        _readings(room, mono) if room.readings else {},
        room.reported,
        situation.started,
        presence.counted,
        room.consent,
        to_end if to_end < 0 else round(to_end, 2),
        "" if following is None else following.name,
        {} if following is None else dict(following.targets),
        _contacts(room) if room.contacts else {},
        None if level is None else _value(level, heard_s, mono),
        None if voice is None else _value(voice, heard_s, mono),
        None if clipped is None else _value(clipped, heard_s, mono),
        above.sun_azimuth if timed else None,
        above.sun_elevation if timed else None,
        above.local_hour if timed else -1.0,
        above.weekday if timed else -1,
    )


def _readings(room: RoomState, mono: float) -> dict[str, float]:
    return {
        name: reading.value
        for name, reading in sorted(room.readings.items())
        if mono < reading.at + READING_STALE_S
    }


def _contacts(room: RoomState) -> dict[str, bool]:
    """Each kind of opening, and whether any board says that one is open."""
    found: dict[str, bool] = {}
    for board in room.contacts.values():
        for opening, is_open in sorted(board.items()):
            found[opening] = found.get(opening, False) or is_open
    return found


def _value(reading: Reading, limit: float, mono: float) -> float | None:
    return None if mono >= reading.at + limit else reading.value
