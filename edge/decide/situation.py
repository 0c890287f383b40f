"""The situation: which meeting the room serves, with which intent, and when the next one comes."""

from collections.abc import Iterator, Sequence
from typing import Literal

from edge.contracts.base import Frozen, Now
from edge.decide.intents import Intent, choice, choose
from edge.fusion.state import RoomState
from edge.meetings.life import LIVE, Life, Lives, current, upcoming

HORIZON_S = 36 * 3600.0
"""How long before its start a meeting's machine is asked for."""


class Situation(Frozen, frozen=True):
    """meeting: whether one is served; started: its time has come.

    preparing: some of the room should already be as it wants. starts_in: seconds until it starts, 0
    once it is checked in. next_intent: what the meeting that starts in minutes_to_next asks for.
    """

    meeting: Literal["none", "pending", "active"] = "none"
    preparing: bool = False
    key: str = ""
    intent: Intent | None = None
    minutes_to_next: float = -1.0
    minutes_to_end: float = -1.0
    started: bool = False
    next_intent: Intent | None = None
    starts_in: float = 0.0


NOTHING = Situation()
"""Nobody has booked the room, or its clock cannot tell."""


def assess(room: RoomState, lives: Lives, intents: Sequence[Intent], now: Now) -> Situation:
    """Return the situation; without a trusted clock no meeting is served."""
    if not (lives and now.trusted and room.clock_trusted):
        return NOTHING
    following = upcoming(lives, now.wall)
    minutes, coming = -1.0, None
    if following is not None:
        minutes = max(0.0, following.meeting.start - now.wall) / 60
        coming = choose(following.meeting, intents)
    life = current(lives, now.wall)
    if life is None and following is not None:
        # A room that takes long to prepare begins before check-in opens.
        longest = choice(following.meeting, intents).leads[0]
        life = following if _starts_in(following, now) <= longest else None
    if life is None:
        return Situation(minutes_to_next=minutes, next_intent=coming)
    chosen = choice(life.meeting, intents)
    starts_in = _starts_in(life, now)
    return Situation(
        meeting="active" if life.phase == "active" else "pending",
        preparing=starts_in <= chosen.leads[0],
        key=life.meeting.key,
        intent=chosen.intent,
        minutes_to_next=minutes,
        minutes_to_end=max(0.0, life.end - now.wall) / 60,
        started=now.wall >= life.meeting.start,
        next_intent=coming,
        starts_in=starts_in,
    )


def preparations(lives: Lives, intents: Sequence[Intent], now: Now) -> Iterator[float]:
    """Yield the wall instants at which room and machine begin to be prepared for a meeting."""
    for life in lives.values():
        start = life.meeting.start
        if life.phase in LIVE and start > now.wall:
            for lead in (HORIZON_S, *choice(life.meeting, intents).leads):
                if lead and start - lead > now.wall:
                    yield start - lead


def _starts_in(life: Life, now: Now) -> float:
    return 0.0 if life.phase == "active" else max(0.0, life.meeting.start - now.wall)
