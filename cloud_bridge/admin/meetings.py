"""The meetings of all rooms, each with its machine and the steps of it. Pure."""

from dataclasses import dataclass

from cloud_bridge.admin.facts import Facts
from cloud_bridge.admin.live import Live, Seen
from cloud_bridge.admin.machines import MachineView, by_meeting, machines
from cloud_bridge.admin.say import Say

SHOWN = 120
EARLIER_S = 3 * 86400.0
OVER = ("ended", "no_show", "cancelled", "declined")
PHASES: dict[str, tuple[str, str, str]] = {
    "booked": ("unknown", "calendar", "Booked"),
    "open": ("pending", "pending", "Waiting for people"),
    "active": ("busy", "busy", "Under way"),
    "ended": ("off", "check", "Ended"),
    "no_show": ("fair", "people", "Nobody came"),
    "cancelled": ("off", "off", "Cancelled"),
    "declined": ("off", "off", "Declined"),
}


@dataclass(frozen=True, slots=True)
class MeetingView:
    """One meeting in one room. start: wall seconds."""

    room: str
    key: str
    title: str
    organiser: str
    when: str
    day: str
    start: float
    phase: str
    tone: str
    icon: str
    word: str
    machine: MachineView | None


@dataclass(frozen=True, slots=True)
class MeetingsView:
    """current: now and to come, soonest first; past: newest first. loading: no room is read yet."""

    current: tuple[MeetingView, ...]
    past: tuple[MeetingView, ...]
    loading: bool


def meetings_view(facts: Facts, say: Say) -> MeetingsView:
    """Return the page of meetings."""
    own = by_meeting(machines(facts, say))
    found = [
        _meeting(live, key, seen, own.get(key), say)
        for live in facts.live
        for key, seen in live.meetings.items()
        if seen.end > say.now - EARLIER_S
    ]
    found.sort(key=lambda one: (one.start, one.room, one.key))
    over = [one for one in found if one.phase in OVER]
    current = [one for one in found if one.phase not in OVER]
    return MeetingsView(tuple(current[:SHOWN]), tuple(over[::-1][:SHOWN]), loading=not facts.read)


def _meeting(
    live: Live, key: str, seen: Seen, machine: MachineView | None, say: Say
) -> MeetingView:
    phase = phase_of(seen, say.now)
    tone, icon, word = PHASES.get(phase, ("unknown", "unknown", phase.capitalize()))
    return MeetingView(
        room=live.room,
        key=key,
        title=title_of(seen),
        organiser="" if seen.private else seen.organiser,
        when=say.span(seen.start, seen.end),
        day=say.day(seen.start),
        start=seen.start,
        phase=phase,
        tone=tone,
        icon=icon,
        word=word,
        machine=machine,
    )


def phase_of(seen: Seen, now: float) -> str:
    """Return where a meeting stands, from what the room said and the calendar's times."""
    if seen.phase in OVER:
        return seen.phase
    if seen.cancelled:
        return "cancelled"
    if seen.end <= now:
        return "ended"
    return seen.phase or "booked"


def title_of(seen: Seen) -> str:
    """Return what to call a meeting."""
    return "Private meeting" if seen.private else seen.title or "Meeting (title stays in the room)"
