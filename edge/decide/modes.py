"""The named modes a room falls back to, what each means, and who acts in it. Pure.

A mode is entered when its cause is there and left by itself when the cause is gone.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from edge.contracts.base import Frozen, Now
from edge.contracts.commands import PRIORITIES, SURE, Priority
from edge.contracts.latest import latest
from edge.contracts.signals import Booted, PluginAnswered, PluginFailed, Signal
from edge.decide.arbiter import Holdings
from edge.decide.pause import Pause
from edge.decide.schedule import VM
from edge.fusion.state import FusionRules, RoomState, SourceState

SENSES = ("camera", "microphone", "occupancy")
SILENT = 3.0
"""A sense has fallen silent when it is this many times older than what still counts."""


@latest
def lost(sources: Mapping[str, SourceState]) -> frozenset[str]:
    """Return which sources do not answer; there may be hundreds that do."""
    return frozenset(name for name, source in sources.items() if source.health == "lost")


class View(Frozen, frozen=True):
    """What modes are told by. broken: why the policy cannot be read; quarantined: which plugins.

    lost: sources that do not answer.
    """

    room: RoomState
    rules: FusionRules
    pause: Pause | None
    broken: str
    quarantined: Mapping[str, str]
    lost: frozenset[str]
    now: Now


@dataclass(frozen=True, slots=True)
class Mode:
    """name; cause and behaviour in words; acts: whose wishes count; here: whether its cause is."""

    name: str
    cause: str
    behaviour: str
    acts: tuple[Priority, ...]
    here: Callable[[View], bool]


def active(view: View) -> tuple[str, ...]:
    """Return the modes of this instant, in the order of MODES."""
    return () if _well(view) else tuple(mode.name for mode in MODES if mode.here(view))


@lru_cache(maxsize=256)
def acting(names: tuple[str, ...]) -> tuple[Priority, ...]:
    """Return whose wishes count in all these modes at once."""
    chosen = [BY_NAME[name].acts for name in names]
    return tuple(p for p in PRIORITIES if all(p in acts for acts in chosen))


def standing(held: Holdings, names: tuple[str, ...]) -> Holdings:
    """Return the leases that count now, machines of meetings among them; the others wait."""
    who = acting(names)
    if who == PRIORITIES:
        return held
    return {
        key: p
        for key, p in held.items()
        if p.priority in who or (p.priority == "schedule" and p.actuator.startswith(VM))
    }


def quarantine(known: Mapping[str, str], signal: Signal) -> dict[str, str]:
    """Return which plugins are shut out, and why, after `signal`."""
    match signal:
        case Booted():
            return {}
        case PluginFailed(quarantined=True):
            return {**known, signal.source: signal.reason}
        case PluginFailed() | PluginAnswered():
            return {name: why for name, why in known.items() if name != signal.source}
        case _:
            return dict(known)


def without(held: Holdings, quarantined: Mapping[str, str]) -> Holdings:
    """Return the leases without those of plugins that are shut out."""
    if not quarantined:
        return held
    return {key: p for key, p in held.items() if p.source not in quarantined}


def _well(view: View) -> bool:
    """Whether no mode's cause is here, seen at one look: as it nearly always is, at every step."""
    room = view.room
    if view.lost or view.quarantined or view.broken or view.pause is not None:
        return False
    if not (view.now.trusted and room.clock_trusted and room.presence.known and room.journaled):
        return False
    if room.people is None and room.voice is None and room.estimate is None:
        return True
    return view.now.mono < min(silences(room, view.rules))


def _journal(view: View) -> bool:
    return not view.room.journaled


def _policy(view: View) -> bool:
    return bool(view.broken) or "policy" in view.lost


def _clock(view: View) -> bool:
    return not (view.now.trusted and view.room.clock_trusted)


def _paused(view: View) -> bool:
    return view.pause is not None


def _plugin(view: View) -> bool:
    if view.quarantined:
        return True
    return any(name.startswith("plugin:") for name in view.lost)


def _blind(view: View) -> bool:
    return _sensed(view.room) and not view.room.presence.known


def _models(view: View) -> bool:
    if _blind(view):
        return False
    silent = any(view.now.mono >= at for at in silences(view.room, view.rules))
    return silent or not view.lost.isdisjoint(SENSES)


def silences(room: RoomState, rules: FusionRules) -> list[float]:
    """Return the monotonic instants at which each sense that spoke counts as silent."""
    heard = (
        (room.people, rules.people_stale_s),
        (room.voice, rules.voice_stale_s),
        (room.estimate, rules.estimate_stale_s),
    )
    return [reading.at + SILENT * limit for reading, limit in heard if reading is not None]


def next_due(room: RoomState, rules: FusionRules, now: Now) -> float:
    """Return the monotonic instant at which a mode may come by time alone."""
    return min((at for at in silences(room, rules) if at > now.mono), default=math.inf)


def _sensed(room: RoomState) -> bool:
    """Whether anything has ever said who is here since the start."""
    return bool(room.people or room.voice or room.estimate or room.motion)


def _calendar(view: View) -> bool:
    return "calendar" in view.lost


def _devices(view: View) -> bool:
    return "broker:room" in view.lost


def _service(view: View) -> bool:
    return "broker:site" in view.lost


MODES: tuple[Mode, ...] = (
    Mode(
        "journal", "the journal cannot be written",
        "only safety and schedule act until the journal can be written",
        SURE, _journal,
    ),
    Mode(
        "policy", "the policy cannot be read",
        "only safety and schedule act until there is a policy that can be read",
        SURE, _policy,
    ),
    Mode(
        "clock", "wall time is not confirmed",
        "no meeting is served and the schedule rests until it is; plugins and people go on",
        PRIORITIES, _clock,
    ),
    Mode(
        "paused", "a person paused the automation",
        "everything stays as it is until the pause is over; people and safety go on",
        ("safety", "manual"), _paused,
    ),
    Mode(
        "plugin", "a plugin is quarantined or was refused",
        "its wishes are dropped and the schedule takes over; the other plugins go on",
        PRIORITIES, _plugin,
    ),
    Mode(
        "blind", "no sensor says whether anybody is here",
        "the last answer stays as a guess; no meeting ends and no room is released for emptiness",
        PRIORITIES, _blind,
    ),
    Mode(
        "models", "a sensor or its model fell silent",
        "what it said no longer counts; the others decide, and high impact needs two that agree",
        PRIORITIES, _models,
    ),
    Mode(
        "calendar", "the calendar does not answer",
        "the day as read last stays; what is decided here is written when it is back",
        PRIORITIES, _calendar,
    ),
    Mode(
        "devices", "the broker of the room's devices does not answer",
        "devices stay as they are; what was wanted is said when it is back",
        PRIORITIES, _devices,
    ),
    Mode(
        "service", "the broker of the service does not answer",
        "machines stay as they are; what is wanted and what happened is sent when it is back",
        PRIORITIES, _service,
    ),
)  # fmt: skip
"""The fallback table; ARCHITECTURE.md shows it."""

BY_NAME = {mode.name: mode for mode in MODES}
