"""The meeting's machine and how far it is on its way. Pure."""

from dataclasses import dataclass
from typing import Literal

from edge.contracts.wire import MachinePhase, MachineReport
from edge.decide.core import CoreState
from edge.meetings.life import Life
from edge.panel.status import Serving
from edge.panel.voice import Voice

WAY: tuple[MachinePhase, ...] = ("wanted", "creating", "booting", "ready")
Tone = Literal["unknown", "pending", "ok", "busy"]
TEXT_LIMIT = 160


@dataclass(frozen=True, slots=True)
class Machine:
    """steps: done, now, todo or failed, one for each stage of WAY; none without a machine."""

    tone: Tone
    icon: str
    word: str
    detail: str
    steps: tuple[str, ...] = ()
    address: str = ""


def machine(state: CoreState, served: Serving, voice: Voice) -> Machine | None:
    """Return the machine of the meeting under way, else of the next; None when none wants one."""
    for life, when in ((served.life, "for_now"), (served.following, "for_next")):
        if life is None:
            continue
        report = _report(state, life)
        if report is not None:
            return _told(report, voice(when), voice)
        if any(wish.meeting == life.meeting.key for wish in state.wanted):
            return _told(MachineReport("", "", "", "wanted", 0.0), voice(when), voice)
    return None


def _report(state: CoreState, life: Life) -> MachineReport | None:
    found = [m for m in state.room.machines if m.meeting == life.meeting.key and m.phase != "gone"]
    return max(found, key=lambda report: report.at, default=None)


def _told(report: MachineReport, when: str, voice: Voice) -> Machine:
    word = voice(f"machine_{report.phase}")
    detail = report.detail[:TEXT_LIMIT]
    if report.phase in ("failed", "refused"):
        # Whichever stage it failed at is not in the report: the way stands broken as a whole.
        return Machine("busy", "error", word, detail or when, ("failed",) * len(WAY))
    if report.phase == "ending":
        return Machine("unknown", "end", word, when, ("done",) * len(WAY))
    stage = WAY.index(report.phase)
    ready = report.phase == "ready"
    steps = tuple(
        "done" if i < stage or ready else "now" if i == stage else "todo" for i in range(len(WAY))
    )
    if ready:
        return Machine("ok", "check", word, when, steps, report.address[:TEXT_LIMIT])
    return Machine("pending", "machine", word, when, steps)
