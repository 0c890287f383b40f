"""What an intent promised for the start of its meeting, and whether it was kept. Pure.

A room stands as asked when, its lead begun, each actuator was given its target, or what somebody
wants who outranks the schedule, and its device, if it says anything, has followed.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from edge.contracts.base import Frozen, Now, Value, machine_key
from edge.contracts.commands import Command
from edge.contracts.decision import Promise
from edge.decide.intents import Intent, Slo, choose
from edge.decide.policy import actuator_class
from edge.decide.schedule import SOURCE
from edge.fusion.evidence import fresh
from edge.fusion.state import READING_STALE_S, RoomState
from edge.meetings.life import LIVE, Life, Lives

WATCH_S = 2 * 3600.0
"""How long before its start a meeting is watched."""
LATE_S = 60.0
"""Who looks later than this after the start cannot tell any more how it was."""
FOLLOW_S = 15.0
"""How long a device that is moved anew may take without the room being unready."""
FOLLOWED = 2.0
"""Difference at which a device has followed: percent, or degrees."""


class Start(Frozen, frozen=True):
    """A start that is watched: wall seconds of it, and since when room and machine are ready.

    unready_at: since when the room that was ready is not; a device needs a moment to follow.
    """

    at: float
    ready_at: float = 0.0
    unready_at: float = 0.0
    machine_at: float = 0.0


Starts = dict[str, Start]
"""Meeting.key -> its start, from WATCH_S before it until it was judged."""


class View(Frozen, frozen=True):
    """What promises are judged by."""

    room: RoomState
    given: Mapping[str, Command]
    organisation: str
    now: Now


def watch(
    starts: Starts, lives: Lives, intents: Sequence[Intent], view: View
) -> tuple[Starts, tuple[Promise, ...]]:
    """Return the starts that are watched after this step, and what came of those that are due."""
    wall = view.now.wall
    if not (view.now.trusted and view.room.clock_trusted):
        return starts, ()
    after: Starts = {}
    judged: list[Promise] = []
    for key, life in lives.items():
        begins = life.meeting.start
        known = starts.get(key)
        near = wall < begins <= wall + WATCH_S
        if life.phase not in LIVE or not (near or (known is not None and begins <= wall)):
            continue
        intent = choose(life.meeting, intents)
        if intent.slo.empty:
            continue
        if known is None or known.at != begins:
            known = Start(begins)
        if near:
            after[key] = _seen(known, life, intent, view)
        elif known.at <= wall:
            judged += _judged(known, life, intent, view)
    return (starts if after == starts else after), tuple(judged)


def _seen(start: Start, life: Life, intent: Intent, view: View) -> Start:
    wall = view.now.wall
    ready = all(
        wall >= start.at - intent.lead(actuator) and _stands(actuator, target, view)
        for actuator, target in intent.targets.items()
    )
    machine = _machine_ready(life, view)
    ready_at = start.ready_at or (wall if ready else 0.0)
    unready_at = 0.0 if ready or not ready_at else start.unready_at or wall
    if unready_at and wall - unready_at > FOLLOW_S:
        ready_at = unready_at = 0.0
    machine_at = (start.machine_at or wall) if machine else 0.0
    seen = replace(start, ready_at=ready_at, unready_at=unready_at, machine_at=machine_at)
    return start if seen == start else seen


def _wanted(actuator: str, target: Value, view: View) -> Value:
    """The target, or what somebody gave the actuator instead who outranks the schedule."""
    given = view.given.get(actuator)
    return target if given is None or given.source == SOURCE else given.value


def _stands(actuator: str, target: Value, view: View) -> bool:
    given = view.given.get(actuator)
    if given is None or given.value != _wanted(actuator, target, view):
        return False
    said = view.room.reported.get(actuator)
    return said is None or _off(said, given.value) <= FOLLOWED


def _off(said: Value, wanted: Value) -> float:
    """How far a number is off; a name is right, or off by all there is."""
    if isinstance(said, str) or isinstance(wanted, str):
        return 0.0 if said == wanted else 100.0
    return abs(said - wanted)


def _machine_ready(life: Life, view: View) -> bool:
    meeting = life.meeting
    key = machine_key(view.organisation, meeting.uid, meeting.recurrence_id)
    return any(m.key == key and m.phase == "ready" for m in view.room.machines)


def _judged(start: Start, life: Life, intent: Intent, view: View) -> Iterator[Promise]:
    slo, key = intent.slo, life.meeting.key
    if view.now.wall - start.at > LATE_S:
        for name, limit in _limits(slo):
            yield Promise(key, name, "unknown", 0.0, _UNITS[name], limit, "nobody looked")
        return
    for name, limit in _limits(slo):
        match name:
            case "ready":
                yield _in_time(key, name, start, start.ready_at, limit)
            case "machine":
                yield _in_time(key, name, start, start.machine_at, limit)
            case "temperature":
                yield _within(key, name, _coldness(intent, view), limit)
            case _:
                yield _within(key, name, _dimness(intent, view), limit)


_UNITS = {"ready": "s", "machine": "s", "temperature": "°C", "light": "%"}


def _limits(slo: Slo) -> Iterator[tuple[str, float]]:
    limits = (slo.ready_s, slo.machine_ready_s, slo.temperature_within, slo.light_within)
    for name, limit in zip(_UNITS, limits, strict=True):
        if limit is not None:
            yield name, limit


def _in_time(key: str, name: str, start: Start, since: float, limit: float) -> Promise:
    if not since:
        return Promise(key, name, "missed", -limit, "s", limit, "not at the start either")
    spare = round(start.at - limit - since, 3)
    said = f"{start.at - since:.0f} s before it"
    return Promise(key, name, "kept" if spare >= 0 else "missed", spare, "s", limit, said)


def _within(key: str, name: str, found: tuple[float, str] | None, limit: float) -> Promise:
    unit = _UNITS[name]
    if found is None:
        return Promise(key, name, "unknown", 0.0, unit, limit, "nobody measures it")
    off, said = found
    spare = round(limit - off, 3)
    return Promise(key, name, "kept" if spare >= 0 else "missed", spare, unit, limit, said)


def _coldness(intent: Intent, view: View) -> tuple[float, str] | None:
    """How far the air is off what people asked; what a plugin sets meanwhile is its way there."""
    reading = fresh(view.room.readings.get("temperature"), READING_STALE_S, view.now.mono)
    asked = [(a, t) for a, t in intent.targets.items() if actuator_class(a) == "climate"]
    if reading is None or not asked:
        return None
    actuator, target = asked[0]
    given = view.given.get(actuator)
    wanted = given.value if given is not None and given.priority == "manual" else target
    if isinstance(wanted, str):
        return None
    return abs(reading.value - wanted), f"{reading.value:.1f} °C, {wanted:.1f} asked"


def _dimness(intent: Intent, view: View) -> tuple[float, str] | None:
    """How far the light that is off most is off what it was given."""
    found = []
    for actuator, target in intent.targets.items():
        said = view.room.reported.get(actuator)
        if actuator_class(actuator) == "light" and said is not None:
            wanted = _wanted(actuator, target, view)
            found.append((_off(said, wanted), f"{actuator} {said}, {wanted} asked"))
    return max(found, default=None)
