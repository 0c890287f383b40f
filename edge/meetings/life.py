"""What is known of one meeting's life, what may be asked of the calendar, and the rules."""

import math
from dataclasses import dataclass
from typing import Literal

from edge.contracts.base import Frozen, Now
from edge.contracts.signals import Meeting, Signal
from edge.fusion.state import RoomState

Phase = Literal["booked", "open", "active", "ended", "no_show", "cancelled", "declined"]
"""booked: known; open: check-in is possible; active: checked in; the others are over."""

LIVE: tuple[Phase, ...] = ("booked", "open", "active")

REREAD = "reread"
"""Stands in `Life.pending` after a refused write, until the calendar was read again."""


WISH_LIMIT_S = 24 * 3600.0
"""Longest a person may book or extend at once."""
RETRY_S = 5.0
RETRY_CAP_S = 300.0
"""A refused calendar write is tried again after RETRY_S, twice that, and so on up to the cap."""


@dataclass(frozen=True, slots=True)
class MeetingRules:
    """Booking rules of a room, in seconds (people: a count). 0 switches `empty_end_s` off.

    agree_kinds: independent kinds of evidence that must agree before emptiness ends anything; where
    they do not, a person is asked for `ask_s`, and not again for `keep_s`.
    """

    check_in_opens_s: float = 600.0
    no_show_s: float = 600.0
    auto_check_in_people: int = 1
    extend_before_s: float = 60.0
    extend_step_s: float = 900.0
    empty_end_s: float = 0.0
    long_meeting_s: float = 8 * 3600.0
    forget_s: float = 12 * 3600.0
    agree_kinds: int = 2
    ask_s: float = 120.0
    keep_s: float = 900.0


class Effect(Frozen, frozen=True):
    """What a transition asks of the calendar, with the reason people are told."""

    verb: Literal["accept", "decline", "check_in", "extend", "end", "release", "book"]
    meeting: Meeting
    end: float
    reason: str
    id: str = ""


class Life(Frozen, frozen=True):
    """One meeting instance. The calendar owns `meeting`; the journal owns the rest.

    end: the end the room holds it to (the calendar's, or the one asked for while the write is
    under way). pending: id of the calendar write that has not come back. unread: booked here and
    not yet seen in the calendar. empty_since: wall seconds, while active and nobody is there.
    opened_at: wall seconds since when this process waits for check-in. refused: writes refused in a
    row; retry_at: wall seconds before which none is tried again unasked. owed: what the calendar
    was asked and has not answered, the latest of each verb; without an id: to be asked again.
    asked: wall seconds until which people are asked whether anybody is here, 0 when they are not;
    asks_at: nobody is asked before; kept: somebody said that it goes on, until then it does. vm:
    template of the machine that people asked for at the panel, "" for what the intent says.
    """

    meeting: Meeting
    phase: Phase
    end: float
    accepted: bool = False
    checked_in_at: float = 0.0
    extended: int = 0
    over_at: float = 0.0
    pending: str = ""
    unread: bool = False
    empty_since: float = 0.0
    reason: str = ""
    opened_at: float = 0.0
    refused: int = 0
    retry_at: float = 0.0
    owed: tuple[Effect, ...] = ()
    asked: float = 0.0
    asks_at: float = 0.0
    kept: float = 0.0
    vm: str = ""


Lives = dict[str, Life]
"""Meeting.key -> its life."""


class Moment(Frozen, frozen=True):
    """What a step rests on besides the lives. ident: of the signal's row; paused: nothing ends."""

    signal: Signal
    ident: str
    room: RoomState
    now: Now
    rules: MeetingRules
    paused: bool = False


def current(lives: Lives, wall: float) -> Life | None:
    """Return the meeting the room serves now: the active one, else the open one that is next."""
    live = [life for life in lives.values() if life.phase in ("active", "open")]
    live.sort(key=lambda life: (life.phase != "active", life.meeting.start, life.meeting.uid))
    return next((life for life in live if life.phase == "active" or wall < life.end), None)


def upcoming(lives: Lives, wall: float) -> Life | None:
    """Return the next live meeting that has not started."""
    later = [x for x in lives.values() if x.phase in LIVE and x.meeting.start > wall]
    return min(later, key=lambda life: (life.meeting.start, life.meeting.uid), default=None)


def next_start(lives: Lives, key: str) -> float:
    """Return when the room is booked again after the start of `key`; infinity when it is not."""
    own = lives[key].meeting
    later = [
        life.meeting.start
        for other, life in lives.items()
        if other != key and life.phase in LIVE and life.meeting.start > own.start
    ]
    return min(later, default=math.inf)


def free(lives: Lives, key: str) -> bool:
    """Whether no meeting but `key` is active."""
    return not any(k != key and life.phase == "active" for k, life in lives.items())
