"""The plan of one meeting: what the room would do, what would be denied, what can be undone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from edge.actuators.gate import Gate
from edge.commands.booking import Booking
from edge.contracts.base import Value
from edge.contracts.commands import Priority, Proposal
from edge.contracts.decision import Promise
from edge.contracts.gating import GateRule
from edge.decide.core import CoreSettings
from edge.decide.intents import Intent, choice
from edge.decide.policy import Context, Policy
from edge.decide.proposals import Grant
from edge.decide.schedule import VM
from edge.rehearsal import Ask, Happening, Played, Scene, Sense, play

PERSON = "person:panel"
MARGIN_S = 90.0


@dataclass(frozen=True, slots=True)
class Denial:
    """What would be denied while the meeting runs: who, what, and the policies that say so."""

    who: str
    actuator: str
    values: tuple[Value, ...]
    by: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything `intents explain` knows. Times: wall seconds.

    steps: people come and leave in time; nobody, longer: what is otherwise when nobody comes, when
    they stay. machine_ready: when the machine is taken to be ready, 0 for none.
    """

    room: str
    at: float
    title: str
    uid: str
    occurrence: str
    start: float
    end: float
    intent: Intent
    chosen_by: dict[str, str]
    left_out: dict[str, str]
    notes: tuple[str, ...]
    steps: tuple[Happening, ...]
    promises: tuple[Promise, ...]
    nobody: tuple[Happening, ...]
    longer: tuple[Happening, ...]
    denied: tuple[Denial, ...]
    undo: tuple[str, ...]
    machine_ready: float = 0.0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class World:
    """What is taken to be: seconds a machine needs, what tells of people, who asks plugins."""

    machine_takes: float
    senses: tuple[Sense, ...]
    ask: Ask | None = None


def make(settings: CoreSettings, booking: Booking, at: float, world: World) -> Plan:
    """Return the plan of a booking as seen at `at`."""
    meeting = booking.meeting
    chosen = choice(meeting, settings.intents)
    intent, rules = chosen.intent, settings.meetings
    ready = _machine_ready(intent, meeting.start, at, world.machine_takes)
    lag = settings.fusion.hold_s + settings.fusion.motion_stale_s + MARGIN_S
    gone = meeting.end - rules.extend_before_s - lag
    gone = max(gone, min(meeting.start + 1.0, meeting.end))
    scenes = {
        "steps": Scene(at, meeting.end + MARGIN_S, meeting.start, gone, machine_ready=ready),
        "nobody": Scene(at, meeting.end + MARGIN_S, 9e12, 9e12, machine_ready=ready),
        "longer": Scene(at, meeting.end - 1.0, meeting.start, 9e12, machine_ready=ready),
    }
    scenes = {name: replace(scene, senses=world.senses) for name, scene in scenes.items()}
    played = play(settings, Gate(settings.gate), meeting, scenes, world.ask)
    steps = _worth(played["steps"])
    denied = tuple(_denials(settings, intent))
    notes = tuple(_notes(settings, world.senses, played))
    return Plan(
        room=settings.room,
        at=at,
        title=meeting.title,
        uid=meeting.uid,
        occurrence=meeting.recurrence_id,
        start=meeting.start,
        end=meeting.end,
        intent=intent,
        chosen_by=dict(chosen.matched),
        left_out=dict(chosen.left_out),
        notes=(*booking.notes, *notes),
        steps=steps,
        promises=tuple(played["steps"].promises),
        nobody=_otherwise(_worth(played["nobody"]), steps, meeting.start),
        longer=_otherwise(_worth(played["longer"]), steps, gone),
        denied=denied,
        undo=tuple(_undo(settings, intent, steps, denied)),
        machine_ready=ready,
        cost=settings.costs.get(intent.vm, 0.0) * (meeting.end - meeting.start) / 3600,
    )


def _notes(
    settings: CoreSettings, senses: tuple[Sense, ...], played: Mapping[str, Played]
) -> Iterator[str]:
    if any(one.cut for one in played.values()):
        yield "too much happens to plan it to its end"
    told = f"people are told by {' and '.join(senses)}" if senses else "nothing tells of people"
    if len(senses) < settings.meetings.agree_kinds:
        yield f"{told}: too little for the room to take itself for empty; it asks instead"


def _machine_ready(intent: Intent, start: float, at: float, takes: float) -> float:
    """When the machine is ready if it is begun as the intent says; 0 without a machine."""
    return max(at, start - intent.vm_lead_s) + takes if intent.vm else 0.0


def _worth(played: Played) -> tuple[Happening, ...]:
    """Leave out what is said again and again: a refusal stands as long as its cause."""
    found: list[Happening] = []
    refused: set[tuple[str, str, Value, str]] = set()
    for one in played.happenings:
        key = (one.what, one.source, one.value, one.policy or one.gate)
        if one.kind == "refused" and key in refused:
            continue
        if one.kind == "refused":
            refused.add(key)
        found.append(one)
    return tuple(found)


def _otherwise(
    other: tuple[Happening, ...], steps: tuple[Happening, ...], since: float
) -> tuple[Happening, ...]:
    """What happens from `since` on that does not happen in the plan at that time."""
    known = {(round(one.at), one.kind, one.what, one.value) for one in steps}
    return tuple(
        one
        for one in other
        if one.at >= since and (round(one.at), one.kind, one.what, one.value) not in known
    )


def _denials(settings: CoreSettings, intent: Intent) -> Iterator[Denial]:
    """Try the ends of what each plugin is granted, and of what the room can, in mid-meeting."""
    policy = Policy(settings.policy)
    busy = Context(occupied=True, active=True, consent="all", trusted=True, template=intent.vm)
    rules = {r.actuator: r for r in settings.gate if not r.actuator.startswith(VM)}
    asking: list[tuple[str, Priority, dict[str, tuple[Value, ...]]]] = [
        (PERSON, "manual", {name: _ends(rule) for name, rule in rules.items()})
    ]
    for source, plugin in settings.plugins.items():
        granted = {g.actuator: _reach(g, rules[g.actuator]) for g in plugin.grants}
        asking.append((source, "plugin", granted))
    for who, priority, wishes in asking:
        for actuator, values in wishes.items():
            denied: dict[str, list[Value]] = {}
            for value in values:
                verdict = policy.decide(Proposal(actuator, value, 0.0, who, priority, ""), busy)
                if not verdict.allowed:
                    denied.setdefault(verdict.rule, []).append(value)
            for rule, refused in denied.items():
                yield Denial(who, actuator, tuple(refused), rule)


def _ends(rule: GateRule) -> tuple[Value, ...]:
    return rule.values or (rule.low, rule.high)


def _reach(grant: Grant, rule: GateRule) -> tuple[Value, ...]:
    """The ends of what a plugin may ask for that the gate would let through."""
    if grant.values:
        return tuple(value for value in grant.values if value in rule.values)
    return (max(grant.low, rule.low), min(grant.high, rule.high))


def _undo(
    settings: CoreSettings,
    intent: Intent,
    steps: tuple[Happening, ...],
    denied: tuple[Denial, ...],
) -> Iterator[str]:
    moved = sorted({one.what for one in steps if one.kind == "room"})
    never = {d.actuator for d in denied if d.who == PERSON and d.by == "no permit"}
    free = [actuator for actuator in moved if actuator not in never]
    if free:
        minutes = settings.hold_s / 60
        yield (
            f"{', '.join(free)}: set otherwise on the panel or at the device; that wins for "
            f"{minutes:g} min, or until it is released"
        )
    yield "everything the room does by itself: pause automation on the panel"
    yield "the release of an empty room: check in on the panel"
    yield "an extension: end the meeting on the panel; the end: extend it"
    if intent.vm:
        tags = " ".join(f"#{name}" for name in (intent.parts or (intent.name,)))
        yield f"the machine: take {tags} out of the booking, or cancel it"
