"""Every machine there is, was or should be, with its steps and what stands in its way. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cloud_bridge.admin.facts import Facts
from cloud_bridge.admin.say import NONE, Say
from cloud_bridge.admin.usage import UsageView, usage_of
from cloud_bridge.store.looking import DeadRow
from cloud_bridge.types import Attempt
from edge.contracts.wire import MachinePhase

WAY: tuple[MachinePhase, ...] = ("wanted", "creating", "booting", "ready", "ending", "gone")
SHOWN = 200
BADGES: dict[str, tuple[str, str, str]] = {
    "wanted": ("unknown", "clock", "Wanted"),
    "creating": ("fair", "machine", "Creating"),
    "booting": ("fair", "ending", "Booting"),
    "ready": ("ok", "check", "Ready"),
    "ending": ("ending", "end", "Ending"),
    "gone": ("off", "off", "Gone"),
    "failed": ("poor", "error", "Failed"),
    "refused": ("poor", "error", "Refused"),
}
"""Phase -> tone, icon, word."""


@dataclass(frozen=True, slots=True)
class Step:
    """state: done, now, failed or todo."""

    name: str
    state: str
    at: str


@dataclass(frozen=True, slots=True)
class MachineView:
    """One machine. late: its meeting has begun and it is not ready; retry: it was given up.

    abandoned: it was given up, and a person wants nothing more of it;
    since: wall seconds of its phase's begin.
    """

    key: str
    rooms: str
    meeting: str
    title: str
    template: str
    phase: str
    tone: str
    icon: str
    word: str
    address: str
    until: str
    detail: str
    late: bool
    retry: bool
    abandoned: bool
    attempts: int
    since: float
    steps: tuple[Step, ...]
    usage: UsageView


@dataclass(frozen=True, slots=True)
class Letter:
    """A message nobody could obey."""

    number: int
    topic: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class MachinesView:
    """running: what exists or is wanted; past: gone, newest first."""

    running: tuple[MachineView, ...]
    past: tuple[MachineView, ...]
    letters: tuple[Letter, ...]


@dataclass(slots=True)
class _Known:
    key: str
    rooms: set[str] = field(default_factory=set)
    meeting: str = ""
    title: str = ""
    template: str = ""
    phase: str = ""
    address: str = ""
    until: float = 0.0
    start: float = 0.0
    detail: str = ""
    at: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)


def machines(facts: Facts, say: Say) -> tuple[MachineView, ...]:
    """Return the newest machines first; those that were given up before all others."""
    known = _gather(facts)
    attempts = {attempt.key: attempt for attempt in facts.attempts}
    views = [
        _view(one, attempts.get(one.key), usage_of(one.key, one.rooms, facts, say), say)
        for one in known.values()
    ]
    views.sort(key=lambda view: (not view.retry or view.abandoned, -view.since, view.key))
    return tuple(views[:SHOWN])


def machines_view(facts: Facts, say: Say) -> MachinesView:
    """Return the page of machines."""
    found = machines(facts, say)
    return MachinesView(
        tuple(one for one in found if one.phase != "gone"),
        tuple(one for one in found if one.phase == "gone"),
        tuple(_letter(one, say) for one in facts.dead),
    )


def _gather(facts: Facts) -> dict[str, _Known]:
    known: dict[str, _Known] = {}
    for step in facts.steps:
        one = known.setdefault(step.key, _Known(step.key))
        one.rooms.add(step.room)
        one.meeting, one.template = one.meeting or step.meeting, one.template or step.template
        before = one.steps.get(step.phase)
        one.steps[step.phase] = step.at if before is None else min(before, step.at)
        if step.at > one.at:
            one.phase, one.at, one.detail = step.phase, step.at, step.detail
    for room, report in facts.reports:
        one = known.setdefault(report.key, _Known(report.key))
        one.rooms.add(room)
        one.meeting, one.template = report.meeting, report.template
        one.phase, one.address, one.until = report.phase, report.address, report.until
        one.detail, one.at = report.detail, one.steps.get(report.phase, report.at)
    for wish in facts.wishes:
        row = wish.machine
        one = known.setdefault(row.key, _Known(row.key))
        one.rooms.add(wish.room)
        one.meeting, one.template, one.title = row.meeting, row.template, row.title
        one.start, one.until = row.start, one.until or row.end
        one.phase = one.phase or "wanted"
    for machine in facts.machines:
        one = known.setdefault(machine.key, _Known(machine.key))
        one.rooms.update(machine.rooms)
        one.meeting, one.template = machine.meeting, machine.template
        one.phase, one.at = one.phase or machine.phase, one.at or machine.created
        one.address, one.until = one.address or machine.address, one.until or machine.until
    return known


def _view(one: _Known, attempt: Attempt | None, usage: UsageView, say: Say) -> MachineView:
    given_up = attempt is not None and attempt.given_up
    abandoned = attempt is not None and attempt.abandoned
    phase = "failed" if given_up else one.phase
    if phase == "dead":
        phase = "failed"
    tone, icon, word = BADGES.get(phase, ("unknown", "unknown", phase.capitalize()))
    late = 0 < one.start <= say.now and phase in ("wanted", "creating", "booting")
    if late:
        tone, icon, word = "poor", "clock", f"{word}, late"
    return MachineView(
        key=one.key,
        rooms=", ".join(sorted(one.rooms)),
        meeting=one.meeting,
        title=one.title,
        template=one.template or NONE,
        phase=phase,
        tone=tone,
        icon=icon,
        word=("Abandoned" if abandoned else "Given up") if given_up else word,
        address=one.address if phase == "ready" else "",
        until=say.moment(one.until),
        detail=(attempt.reason if attempt is not None and phase == "failed" else "") or one.detail,
        late=late,
        retry=given_up,
        abandoned=abandoned,
        attempts=0 if attempt is None else attempt.attempts,
        since=one.at or one.start,
        steps=_steps(phase, one.steps, say),
        usage=usage if phase in ("booting", "ready", "ending") else UsageView(),
    )


def _steps(phase: str, at: dict[str, float], say: Say) -> tuple[Step, ...]:
    if phase in WAY:
        here = WAY.index(phase)
        states = ["done" if n < here else "now" if n == here else "todo" for n in range(len(WAY))]
        states[here] = "done" if phase in ("ready", "gone") else "now"
    else:
        passed = max((n for n, name in enumerate(WAY) if name in at), default=0)
        states = ["done" if n < passed else "failed" if n == passed else "todo" for n in range(6)]
    pairs = zip(WAY, states, strict=True)
    return tuple(Step(name, state, say.exact(at.get(name, 0.0))) for name, state in pairs)


def _letter(row: DeadRow, say: Say) -> Letter:
    return Letter(row.number, row.topic, row.reason, say.exact(row.at))


def by_meeting(found: Iterable[MachineView]) -> dict[str, MachineView]:
    """Return the machine of each meeting, the one that matters where there were several."""
    kept: dict[str, MachineView] = {}
    for one in found:
        before = kept.get(one.meeting)
        if before is None or (before.phase == "gone" and one.phase != "gone"):
            kept[one.meeting] = one
    return kept
