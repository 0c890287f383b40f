"""The situation: which meeting the room serves, with which intent, and when the next one comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge.contracts.base import Now
from edge.decide.intents import Intent, choose
from edge.fusion.state import RoomState
from edge.meetings.life import Life, Lives, current, upcoming


@dataclass(frozen=True, slots=True)
class Situation:
    """meeting: whether one is served; preparing: the room should already be as it wants.

    next_intent: what the meeting that starts in minutes_to_next asks for.
    """

    meeting: Literal["none", "pending", "active"] = "none"
    preparing: bool = False
    key: str = ""
    intent: Intent | None = None
    minutes_to_next: float = -1.0
    minutes_to_end: float = -1.0
    next_intent: Intent | None = None


def assess(room: RoomState, lives: Lives, intents: Sequence[Intent], now: Now) -> Situation:
    """Return the situation; without a trusted clock no meeting is served."""
    if not (now.trusted and room.clock_trusted):
        return Situation()
    following = upcoming(lives, now.wall)
    minutes, coming = -1.0, None
    if following is not None:
        minutes = max(0.0, following.meeting.start - now.wall) / 60
        coming = choose(following.meeting, intents)
    life = current(lives, now.wall)
    if life is None:
        return Situation(minutes_to_next=minutes, next_intent=coming)
    intent = choose(life.meeting, intents)
    return Situation(
        meeting="active" if life.phase == "active" else "pending",
        preparing=_preparing(life, intent, now),
        key=life.meeting.key,
        intent=intent,
        minutes_to_next=minutes,
        minutes_to_end=max(0.0, life.end - now.wall) / 60,
        next_intent=coming,
    )


def _preparing(life: Life, intent: Intent, now: Now) -> bool:
    return life.phase == "active" or now.wall >= life.meeting.start - intent.lead_s
