"""fuse(state, signal, now): one signal into the picture of the room. Pure."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from edge.contracts.base import Now
from edge.contracts.signals import (
    QUANTITY_RANGE,
    Booted,
    CalendarRead,
    ClockChecked,
    ContactChanged,
    DeviceReported,
    MachineChanged,
    MotionChanged,
    NodeReading,
    OccupancyEstimated,
    OperatorAsked,
    PeopleCounted,
    Signal,
    SoundMeasured,
    SourceChanged,
)
from edge.fusion.evidence import fresh, gather, stale_at
from edge.fusion.state import (
    CEASED,
    MOVING,
    STILL,
    FusionRules,
    Presence,
    Reading,
    RoomState,
    SourceState,
)

ODDS_LIMIT = 30.0
PEOPLE_LIMIT = 1000
EXPECTED_EVIDENCE = 3.0
"""Fresh sources at which evidence is as complete as it usefully gets."""


def fuse(state: RoomState, signal: Signal, now: Now, rules: FusionRules) -> RoomState:
    """Return the room after `signal`; presence is weighed anew at every call."""
    hear = _HEARD.get(type(signal))
    heard = state if hear is None else hear(state, signal, now, rules)
    presence = _weigh(heard, now, rules)
    return heard if presence == heard.presence else replace(heard, presence=presence)


def next_due(state: RoomState, now: Now, rules: FusionRules) -> float:
    """Return the monotonic instant at which presence may change without a signal."""
    instants = [at for at in stale_at(state, rules, now.mono) if at > now.mono]
    if state.presence.leaving is not None:
        instants.append(state.presence.leaving + rules.hold_s)
    return min(instants, default=math.inf)


# A level is heard when it is physically possible, and not what consent has switched off.


def _people(state: RoomState, signal: PeopleCounted, now: Now, _: FusionRules) -> RoomState:
    if state.consent == "off" or not 0 <= signal.count <= PEOPLE_LIMIT:
        return state
    return replace(state, people=Reading(signal.count, signal.source, now.mono))


def _sound(state: RoomState, signal: SoundMeasured, now: Now, _: FusionRules) -> RoomState:
    shares = 0.0 <= signal.voice <= 1.0 and 0.0 <= signal.clipped <= 1.0
    if state.consent != "all" or not (shares and math.isfinite(signal.level_db)):
        return state
    return replace(
        state,
        level=Reading(signal.level_db, signal.source, now.mono),
        voice=Reading(signal.voice, signal.source, now.mono),
        clipped=Reading(signal.clipped, signal.source, now.mono),
    )


def _reading(state: RoomState, signal: NodeReading, now: Now, _: FusionRules) -> RoomState:
    low, high, _unit = QUANTITY_RANGE[signal.quantity]
    if not low <= signal.value <= high:
        return state
    reading = Reading(signal.value, signal.source, now.mono)
    return replace(state, readings={**state.readings, signal.quantity: reading})


def _estimate(state: RoomState, signal: OccupancyEstimated, now: Now, _: FusionRules) -> RoomState:
    if not 0.0 <= signal.probability <= 1.0:
        return state
    return replace(state, estimate=Reading(signal.probability, signal.source, now.mono))


def _motion(state: RoomState, signal: MotionChanged, now: Now, rules: FusionRules) -> RoomState:
    """Keep what motion sensors say, the oldest word first, without what is no evidence now."""
    source, mono, limit = signal.source, now.mono, rules.motion_stale_s
    after = dict(state.motion)
    before = after.pop(source, None)
    for name, reading in state.motion.items():
        if reading.value == MOVING:
            continue
        if mono < reading.at + limit:
            break
        after.pop(name, None)
    # A sensor's first word may be "no motion": only one that saw some can have ceased to.
    ceased = CEASED if before is not None and before.value > STILL else STILL
    after[source] = Reading(MOVING if signal.active else ceased, source, mono)
    return replace(state, motion=after)


def _contact(state: RoomState, signal: ContactChanged, _: Now, _rules: FusionRules) -> RoomState:
    board = {**state.contacts.get(signal.source, {}), signal.opening: signal.open}
    return replace(state, contacts={**state.contacts, signal.source: board})


def _calendar(state: RoomState, signal: CalendarRead, now: Now, _: FusionRules) -> RoomState:
    return replace(state, meetings=signal.meetings, calendar_at=now.wall)


def _device(state: RoomState, signal: DeviceReported, _: Now, _rules: FusionRules) -> RoomState:
    return replace(state, reported={**state.reported, signal.actuator: signal.value})


def _machines(state: RoomState, signal: MachineChanged, _: Now, _rules: FusionRules) -> RoomState:
    return replace(state, machines=signal.machines)


def _clock(state: RoomState, signal: ClockChecked, _: Now, _rules: FusionRules) -> RoomState:
    return replace(state, clock_trusted=signal.trusted)


def _asked(state: RoomState, signal: OperatorAsked, _: Now, _rules: FusionRules) -> RoomState:
    match signal:
        case OperatorAsked(verb="consent", value="all" | "counts" | "off" as wish):
            return _consent(state, wish)
        case _:
            return state


def _booted(state: RoomState, _: Booted, _now: Now, _rules: FusionRules) -> RoomState:
    # Ages are monotonic and do not survive a restart, so what they belong to does not.
    return replace(
        state,
        presence=Presence(occupied=state.presence.occupied, since=state.presence.since),
        people=None, level=None, voice=None, clipped=None, estimate=None,
        motion={}, readings={}, contacts={}, sources={}, clock_trusted=False,
    )  # fmt: skip


def _source(state: RoomState, signal: SourceChanged, now: Now, _: FusionRules) -> RoomState:
    if signal.health == "lost" and signal.source in state.motion:
        # Nobody would say any more that the motion ended.
        moving = {name: r for name, r in state.motion.items() if name != signal.source}
        state = replace(state, motion=moving)
    if signal.health == "lost" and signal.source in state.contacts:
        known = {name: board for name, board in state.contacts.items() if name != signal.source}
        state = replace(state, contacts=known)
    source = SourceState(signal.health, signal.reason, now.wall, signal.errors)
    return replace(state, sources={**state.sources, signal.source: source})


def _consent(state: RoomState, wish: str) -> RoomState:
    match wish:
        case "all":
            return replace(state, consent="all")
        case "counts":
            return replace(state, consent="counts", level=None, voice=None, clipped=None)
        case _:
            return replace(state, consent="off", people=None, level=None, voice=None, clipped=None)


_HEARD: Mapping[type, Callable[[RoomState, Any, Now, FusionRules], RoomState]] = {
    PeopleCounted: _people,
    SoundMeasured: _sound,
    NodeReading: _reading,
    MotionChanged: _motion,
    ContactChanged: _contact,
    OccupancyEstimated: _estimate,
    CalendarRead: _calendar,
    SourceChanged: _source,
    DeviceReported: _device,
    MachineChanged: _machines,
    ClockChecked: _clock,
    OperatorAsked: _asked,
    Booted: _booted,
}
"""One row per signal that changes the picture; the others leave it as it is."""


def _weigh(state: RoomState, now: Now, rules: FusionRules) -> Presence:
    before = state.presence
    evidence = gather(state, rules, now.mono)
    if not evidence:
        # Nobody can tell: keep the last answer, say that it is a guess.
        return replace(
            before, known=False, confidence=0.0, evidence=(), leaving=None, count=0, counted=False
        )
    odds = 0.0
    for item in evidence:
        odds += item.odds
    if not -ODDS_LIMIT <= odds <= ODDS_LIMIT:
        odds = math.copysign(ODDS_LIMIT, odds)
    probability = round(1 / (1 + math.exp(-odds)), 4)
    leaving = before.leaving
    occupied = before.occupied
    if probability >= rules.enter:
        occupied, leaving = True, None
    elif probability > rules.leave:
        leaving = None
    elif occupied:
        leaving = now.mono if leaving is None else leaving
        if now.mono >= leaving + rules.hold_s:
            occupied, leaving = False, None
    sources = len(evidence)
    coverage = 1.0 if sources >= EXPECTED_EVIDENCE else sources / EXPECTED_EVIDENCE
    people = fresh(state.people, rules.people_stale_s, now.mono)
    return Presence(
        occupied=occupied,
        probability=probability,
        count=0 if people is None else int(people.value),
        counted=people is not None,
        confidence=round(abs(2 * probability - 1) * coverage, 4),
        known=True,
        since=before.since if occupied == before.occupied else now.wall,
        leaving=leaving,
        evidence=evidence,
    )
