"""The plate beside the door: what the room is, until when, and what can be done now. Pure."""

import math
from dataclasses import dataclass
from typing import Literal

from edge.contracts.base import Now
from edge.contracts.signals import OperatorVerb
from edge.decide.core import CoreState
from edge.meetings.life import LIVE, Life, MeetingRules, current, upcoming
from edge.panel.voice import Voice

Tone = Literal["free", "pending", "busy", "ending", "unknown", "loading"]

ENDING_S = 300.0
WARN_S = 60.0
BOOK_MINUTES = (15, 30, 45, 60)
SHORTEST_S = 60.0
LONGEST_S = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class Status:
    """icon: name in the sprite; urgent: the hint wants something soon; asks: it is a question."""

    tone: Tone
    icon: str
    word: str
    detail: str
    hint: str = ""
    urgent: bool = False
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """A button. `fields`: what its form carries besides the verb; weight: how it looks."""

    verb: OperatorVerb
    label: str
    icon: str
    weight: Literal["main", "plain"] = "main"
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Serving:
    """What the room serves at this instant.

    timed: the clock may be believed; known: the calendar was read.
    """

    life: Life | None
    following: Life | None
    timed: bool
    known: Literal["yes", "loading", "no"] = "yes"


def serving(state: CoreState, now: Now) -> Serving:
    """Return the current and the next meeting; none while the clock is not trusted."""
    timed = now.trusted and state.room.clock_trusted
    if not timed:
        return Serving(None, None, False)
    life = current(state.lives, now.wall)
    following = upcoming(state.lives, now.wall)
    if life is not None and following is life:
        later = {k: x for k, x in state.lives.items() if x is not life}
        following = upcoming(later, now.wall)
    return Serving(life, following, True, _known(state))


def _known(state: CoreState) -> Literal["yes", "loading", "no"]:
    if state.room.calendar_at is not None or state.lives:
        return "yes"
    calendar = state.room.sources.get("calendar")
    return "loading" if calendar is None or calendar.health == "ok" else "no"


def status(
    state: CoreState, served: Serving, rules: MeetingRules, voice: Voice, now: Now
) -> Status:
    """Return what the plate says."""
    if not served.timed:
        return Status("unknown", "clock", voice("clock_word"), voice("clock_detail"))
    if served.life is not None:
        if served.life.phase == "active":
            return _busy(served, served.life, voice, now)
        return _pending(served.life, rules, voice, now)
    if served.known == "loading":
        return Status("loading", "loading", voice("loading_word"), voice("loading_detail"))
    if served.known == "no":
        return Status(
            "unknown", "unknown", voice("no_calendar_word"), voice("no_calendar_detail")
        )  # fmt: skip
    return _free(state, served, voice, now)


def actions(
    served: Serving, state: CoreState, rules: MeetingRules, voice: Voice, now: Now
) -> tuple[Action, ...]:
    """Return what may be asked for now; the panel offers and accepts nothing else."""
    if not served.timed or served.known == "loading":
        return ()
    life = served.life
    if life is None:
        return _bookings(state, voice, now)
    key = (("meeting", life.meeting.key),)
    if life.asked:
        return _answers(life, key, voice)
    if life.phase != "active":
        return (Action("check_in", voice("check_in"), "check", "main", key),)
    end = Action("end", voice("end_now"), "end", "plain", key)
    room = (served.following.meeting.start if served.following else life.end + LONGEST_S) - life.end
    seconds = min(rules.extend_step_s, room)
    if seconds < SHORTEST_S:
        return (end,)
    more = (*key, ("seconds", f"{seconds:.0f}"))
    return (Action("extend", voice("extend", time=voice.lasts(seconds)), "plus", "main", more), end)


def _answers(life: Life, key: tuple[tuple[str, str], ...], voice: Voice) -> tuple[Action, ...]:
    """Return the answers to whether anybody is here."""
    if life.phase == "active":
        keep = Action("keep", voice("keep"), "check", "main", key)
        return (keep, Action("end", voice("yes_end"), "end", "plain", key))
    here = Action("check_in", voice("check_in"), "check", "main", key)
    keep = Action("keep", voice("keep"), "clock", "plain", key)
    return (here, keep, Action("end", voice("yes_release"), "end", "plain", key))


def free_for(state: CoreState, now: Now) -> float:
    """Return for how many seconds nothing is booked from now on; infinity when nothing is."""
    live = [life for life in state.lives.values() if life.phase in LIVE]
    if any(life.meeting.start <= now.wall < life.end for life in live):
        return 0.0
    starts = [life.meeting.start for life in live if life.meeting.start > now.wall]
    return min(starts, default=math.inf) - now.wall


def _bookings(state: CoreState, voice: Voice, now: Now) -> tuple[Action, ...]:
    room = free_for(state, now)
    if room < SHORTEST_S:
        return ()
    made = [
        Action("book", voice.lasts(m * 60), "plus", "main", (("minutes", str(m)),))
        for m in BOOK_MINUTES
        if m * 60 <= room
    ]
    if room <= LONGEST_S:
        until = voice("book_until", time=voice.clock(now.wall + room))
        made.append(Action("book", until, "clock", "plain", (("minutes", "next"),)))
    return tuple(made)


def _busy(served: Serving, life: Life, voice: Voice, now: Now) -> Status:
    until = voice("until", time=voice.moment(life.end, now.wall))
    if life.asked:
        asks = voice("ask_end", time=voice.clock(life.asked))
        return Status("busy", "busy", voice("busy"), until, asks, urgent=True, asks=True)
    following = served.following
    waits = following is not None and following.meeting.start <= life.end + ENDING_S
    if life.end - now.wall > ENDING_S:
        return Status("busy", "busy", voice("busy"), until)
    left = voice("minutes_left", time=voice.lasts(life.end - now.wall))
    hint = voice("next_waits") if waits else ""
    return Status("ending", "ending", voice("ending"), left, hint, urgent=waits)


def _pending(life: Life, rules: MeetingRules, voice: Voice, now: Now) -> Status:
    start = life.meeting.start
    if now.wall < start:
        detail = voice("starts_at", time=voice.clock(start))
        return Status("pending", "pending", voice("reserved"), detail, voice("please_check_in"))
    freed = start + rules.no_show_s
    detail = voice("since", time=voice.clock(start))
    if life.asked:
        asks = voice("ask_release", time=voice.clock(life.asked))
        return Status("pending", "pending", voice("reserved"), detail, asks, True, asks=True)
    if life.meeting.end - start >= rules.long_meeting_s or freed <= now.wall:
        return Status("pending", "pending", voice("reserved"), detail, voice("please_check_in"))
    urgent = freed - now.wall <= WARN_S
    hint = voice("freed_soon") if urgent else voice("freed_at", time=voice.clock(freed))
    return Status("pending", "pending", voice("reserved"), detail, hint, urgent)


def _free(state: CoreState, served: Serving, voice: Voice, now: Now) -> Status:
    following = served.following
    presence = state.room.presence
    hint = voice("people_inside") if presence.known and presence.occupied else ""
    if following is None or following.meeting.start >= voice.midnights(now.wall)[1]:
        return Status("free", "free", voice("free"), voice("rest_of_day"), hint)
    until = voice("until", time=voice.clock(following.meeting.start))
    return Status("free", "free", voice("free"), until, hint)
