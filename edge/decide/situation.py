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
    """meeting: whether one is served; preparing: the room should already be as it wants."""

    meeting: Literal["none", "pending", "active"] = "none"
    preparing: bool = False
    key: str = ""
    intent: Intent | None = None
    minutes_to_next: float = -1.0


def assess(room: RoomState, lives: Lives, intents: Sequence[Intent], now: Now) -> Situation:
    """Return the situation; without a trusted clock no meeting is served."""
    if not (now.trusted and room.clock_trusted):
        return Situation()
    following = upcoming(lives, now.wall)
    minutes = -1.0 if following is None else max(0.0, following.meeting.start - now.wall) / 60
    life = current(lives, now.wall)
    if life is None:
        return Situation(minutes_to_next=minutes)
    intent = choose(life.meeting, intents)
    return Situation(
        meeting="active" if life.phase == "active" else "pending",
        preparing=_preparing(life, intent, now),
        key=life.meeting.key,
        intent=intent,
        minutes_to_next=minutes,
    )


def _preparing(life: Life, intent: Intent, now: Now) -> bool:
    return life.phase == "active" or now.wall >= life.meeting.start - intent.lead_s
