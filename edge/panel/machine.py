"""The meeting's machine: how far it is, how to enter it, what to do when there is none. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from edge.contracts.base import Now
from edge.contracts.codes import shown as in_threes
from edge.contracts.gating import GateRule
from edge.contracts.wire import MachinePhase, MachineReport
from edge.decide.codes import ready
from edge.decide.core import CoreState
from edge.meetings.life import LIVE, Life
from edge.panel.status import LONGEST_S, SHORTEST_S, Action, Serving, free_for
from edge.panel.voice import Voice

WAY: tuple[MachinePhase, ...] = ("wanted", "creating", "booting", "ready")
Tone = Literal["unknown", "pending", "ok", "busy"]
TEXT_LIMIT = 160
WALK_UP_MIN = 30
OFFERED = 2
VM = "vm/*"


@dataclass(frozen=True, slots=True)
class Machine:
    """steps: done, now, todo or failed, one for each stage of WAY; none without a machine.

    code: what opens it, "" while none is shown; offers: what may be tapped instead of a machine
    that cannot be had, or to get one.
    """

    tone: Tone
    icon: str
    word: str
    detail: str
    steps: tuple[str, ...] = ()
    address: str = ""
    code: str = ""
    offers: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Desk:
    """What the card rests on besides the state. codes: seal -> code; door: where one is typed."""

    gate: Sequence[GateRule] = ()
    codes: Mapping[str, str] = field(default_factory=dict)
    door: str = ""


def machine(
    state: CoreState, served: Serving, desk: Desk, voice: Voice, now: Now
) -> Machine | None:
    """Return the machine of the meeting under way, else of the next; None when none wants one."""
    for life, when in ((served.life, "for_now"), (served.following, "for_next")):
        if life is None:
            continue
        report = _report(state, life)
        if report is None and any(wish.meeting == life.meeting.key for wish in state.wanted):
            report = MachineReport("", "", "", "wanted", 0.0)
        if report is not None:
            told = _told(report, voice(when), voice, now)
            if report.phase in ("refused", "failed"):
                return replace(told, offers=_instead(report, life, state, desk, voice, now))
            return _entered(told, life, state, desk, voice, now) if life is served.life else told
    return None


def offers(
    state: CoreState, served: Serving, desk: Desk, voice: Voice, now: Now
) -> tuple[Action, ...]:
    """Return every tap the machine's card takes; without a machine, how to get one."""
    shown = machine(state, served, desk, voice, now)
    if shown is not None:
        return shown.offers
    names = templates(desk.gate)[:OFFERED]
    if not names or not served.timed or served.known == "loading":
        return ()
    life = served.life
    if life is not None and (life.phase != "active" or life.asked):
        return ()
    if life is None and free_for(state, now) < WALK_UP_MIN * 60:
        return ()
    return tuple(_get(name, life, voice) for name in names)


def templates(rules: Sequence[GateRule]) -> tuple[str, ...]:
    """Return the templates that this room's gate lets be asked for."""
    return next((rule.values for rule in rules if rule.actuator == VM), ())


def _report(state: CoreState, life: Life) -> MachineReport | None:
    found = [m for m in state.room.machines if m.meeting == life.meeting.key and m.phase != "gone"]
    return max(found, key=lambda report: report.at, default=None)


def _told(report: MachineReport, when: str, voice: Voice, now: Now) -> Machine:
    word = voice(f"machine_{report.phase}")
    detail = report.detail[:TEXT_LIMIT]
    if report.phase in ("failed", "refused"):
        # Whichever stage it failed at is not in the report: the way stands broken as a whole.
        return Machine("busy", "error", word, detail or when, ("failed",) * len(WAY))
    if report.phase == "ending":
        return Machine("unknown", "end", word, when, ("done",) * len(WAY))
    stage = WAY.index(report.phase)
    done = report.phase == "ready"
    steps = tuple(
        "done" if i < stage or done else "now" if i == stage else "todo" for i in range(len(WAY))
    )
    if done:
        return Machine("ok", "check", word, when, steps, report.address[:TEXT_LIMIT])
    if report.expected > now.wall:
        when = voice("machine_expected", time=voice.lasts(report.expected - now.wall))
    elif report.phase == "wanted" and not report.key:
        when = voice("machine_made")
    return Machine("pending", "machine", word, when, steps)


def _entered(
    told: Machine, life: Life, state: CoreState, desk: Desk, voice: Voice, now: Now
) -> Machine:
    """Return the card with the code, or the way to it: for a checked-in meeting's machine alone."""
    key = life.meeting.key
    if life.phase != "active" or ready(state.room.machines, key) is None:
        return told
    fields = (("meeting", key),)
    fresh = Action("connect", voice("show_code"), "machine", "main", fields)
    code = state.codes.get(key)
    plain = "" if code is None else desk.codes.get(code.sealed, "")
    if code is None or not plain or code.until <= now.wall:
        return replace(told, offers=(fresh,))
    until = voice("code_until", time=voice.clock(code.until))
    again = replace(fresh, label=voice("new_code"), icon="undo", weight="plain")
    return replace(told, address=desk.door, code=in_threes(plain), detail=until, offers=(again,))


def _instead(
    report: MachineReport, life: Life, state: CoreState, desk: Desk, voice: Voice, now: Now
) -> tuple[Action, ...]:
    """Return what may be taken instead of a machine that was refused."""
    found = []
    if report.smaller in templates(desk.gate):
        fields = (("meeting", life.meeting.key), ("template", report.smaller))
        found.append(Action("machine", voice("take_smaller", name=report.smaller), "check",
                            "main", fields))  # fmt: skip
    length = life.end - life.meeting.start
    start = report.next_start
    if start > now.wall and _room_is_free(state, start, length):
        later = (
            ("start", f"{start:.0f}"), ("seconds", f"{length:.0f}"), ("template", report.template),
        )  # fmt: skip
        label = voice("book_at", time=voice.moment(start, now.wall))
        found.append(Action("book", label, "clock", "plain", later))
    return tuple(found)


def _room_is_free(state: CoreState, start: float, length: float) -> bool:
    live = [life for life in state.lives.values() if life.phase in LIVE]
    free = all(life.end <= start or life.meeting.start >= start + length for life in live)
    return free and SHORTEST_S <= length <= LONGEST_S


def _get(name: str, life: Life | None, voice: Voice) -> Action:
    """Return the tap that gets a machine for the meeting, or books the room with one from now."""
    template = ("template", name)
    if life is not None:
        fields = (("meeting", life.meeting.key), template)
        return Action("machine", voice("get_machine", name=name), "plus", "plain", fields)
    label = voice("book_machine", time=voice.lasts(WALK_UP_MIN * 60), name=name)
    return Action("book", label, "plus", "plain", (("minutes", str(WALK_UP_MIN)), template))
