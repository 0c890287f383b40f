"""step(lives, signal, room, now): every meeting of the room, one instant further. Pure."""

import math

from msgspec.structs import replace

from edge.contracts.base import Now
from edge.contracts.signals import Booted, CalendarRead, CalendarWritten, OperatorAsked
from edge.meetings.calendar import answer, read
from edge.meetings.life import LIVE, Effect, Life, Lives, MeetingRules, Moment, free, next_start
from edge.meetings.owed import asked_for, forgotten, owed, written
from edge.meetings.transitions import advance, no_show_at
from edge.meetings.wishes import wish

__all__ = ["Moment", "next_due", "step"]


def step(lives: Lives, moment: Moment) -> tuple[Lives, tuple[Effect, ...]]:
    """Return the lives after this moment and what they ask of the calendar."""
    known = _hear(lives, moment)
    if not (moment.now.trusted and moment.room.clock_trusted):
        return known, ()
    if not known and not isinstance(moment.signal, OperatorAsked):
        return (known if lives else lives), ()
    effects: list[Effect] = []
    after: Lives = dict(known)
    operator, asked = wish(after, moment)
    after.update(operator)
    effects.extend(asked)
    order = sorted(after, key=lambda k: (after[k].meeting.start, k))
    for key in order:
        after[key], effect = answer(after, key, moment.now)
        effects.extend([effect] if effect is not None else [])
    for key in order:
        if after[key].phase in LIVE:
            after[key], effect = _advance(after, key, moment)
            effects.extend([effect] if effect is not None else [])
    effects = owed(after, moment.now) + effects
    named = tuple(replace(e, id=f"{moment.ident}.w{i}") for i, e in enumerate(effects))
    for effect in named:
        key = effect.meeting.key
        after[key] = asked_for(after[key], effect)
    horizon = moment.now.wall - moment.rules.forget_s
    kept = {
        key: life
        for key, life in after.items()
        # As long as the calendar may still show it, it must not begin anew.
        if life.phase in LIVE or max(life.over_at, life.meeting.end) >= horizon
    }
    return (lives if kept == lives else kept), named


def _advance(lives: Lives, key: str, moment: Moment) -> tuple[Life, Effect | None]:
    """Return this life one instant further; whatever the calendar says, the room serves one."""
    life, now, rules = lives[key], moment.now, moment.rules
    if now.wall < life.meeting.start - rules.check_in_opens_s and life.phase == "booked":
        return life, None
    starts = next_start(lives, key)
    if life.phase == "active" and life.end > starts:
        life = replace(life, end=starts)
    alone = free(lives, key)
    return advance(life, moment.room.presence, starts, alone, rules, now, moment.paused)


def next_due(lives: Lives, rules: MeetingRules, now: Now) -> float:
    """Return the wall instant at which a meeting's life may change by time alone."""
    instants: list[float] = []
    for life in lives.values():
        if life.phase in LIVE:
            start = life.meeting.start
            instants += [start - rules.check_in_opens_s, start, no_show_at(life, rules)]
            instants += [life.end - rules.extend_before_s, life.end, life.retry_at]
            instants += [life.asked, life.asks_at, life.kept]
            if life.empty_since and rules.empty_end_s:
                instants.append(life.empty_since + rules.empty_end_s)
    return min((at for at in instants if at > now.wall), default=math.inf)


def _hear(lives: Lives, moment: Moment) -> Lives:
    match moment.signal:
        case CalendarRead():
            return read(lives, moment.signal, moment.now)
        case Booted():
            # The driver's queue went with the process: what was under way is read and decided anew.
            return {k: forgotten(life) for k, life in lives.items()}
        case CalendarWritten():
            return {k: written(life, moment.signal, moment.now) for k, life in lives.items()}
        case _:
            return lives
