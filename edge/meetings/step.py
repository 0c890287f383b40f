"""step(lives, signal, room, now): every meeting of the room, one instant further. Pure."""

import math
from dataclasses import dataclass, replace

from edge.contracts.base import Now
from edge.contracts.signals import (
    Booted,
    CalendarRead,
    CalendarWritten,
    Meeting,
    OperatorAsked,
    Signal,
)
from edge.fusion.state import RoomState
from edge.meetings.life import LIVE, REREAD, Effect, Life, Lives, MeetingRules, current
from edge.meetings.transitions import advance, check_in, extend, finish


@dataclass(frozen=True, slots=True)
class Moment:
    """What a step rests on besides the lives themselves. `ident`: id of the signal's row."""

    signal: Signal
    ident: str
    room: RoomState
    now: Now
    rules: MeetingRules


def step(lives: Lives, moment: Moment) -> tuple[Lives, tuple[Effect, ...]]:
    """Return the lives after this moment and what they ask of the calendar."""
    known = _hear(lives, moment)
    if not (moment.now.trusted and moment.room.clock_trusted):
        return known, ()
    effects: list[Effect] = []
    after: Lives = dict(known)
    operator, asked = _operator(after, moment)
    after.update(operator)
    effects.extend(asked)
    for key in sorted(after, key=lambda k: (after[k].meeting.start, k)):
        after[key], answer = _answer(after, key)
        starts = next_start(after, key)
        after[key], effect = advance(
            after[key], moment.room.presence, starts, moment.rules, moment.now
        )
        effects.extend(item for item in (answer, effect) if item is not None)
    named = tuple(replace(e, id=f"{moment.ident}.w{i}") for i, e in enumerate(effects))
    for effect in named:
        if effect.verb == "extend":
            key = effect.meeting.key
            after[key] = replace(after[key], pending=effect.id)
    horizon = moment.now.wall - moment.rules.forget_s
    kept = {k: v for k, v in after.items() if v.phase in LIVE or v.over_at >= horizon}
    return (lives if kept == lives else kept), named


def next_start(lives: Lives, key: str) -> float:
    """Return when the room is booked again after the start of `key`; infinity when it is not."""
    own = lives[key].meeting
    later = [
        life.meeting.start
        for other, life in lives.items()
        if other != key and life.phase in LIVE and life.meeting.start > own.start
    ]
    return min(later, default=math.inf)


def next_due(lives: Lives, rules: MeetingRules, now: Now) -> float:
    """Return the wall instant at which a meeting's life may change by time alone."""
    instants: list[float] = []
    for life in lives.values():
        if life.phase in LIVE:
            start = life.meeting.start
            instants += [start - rules.check_in_opens_s, start, start + rules.no_show_s]
            instants += [life.end - rules.extend_before_s, life.end]
            if life.empty_since and rules.empty_end_s:
                instants.append(life.empty_since + rules.empty_end_s)
    return min((at for at in instants if at > now.wall), default=math.inf)


def _hear(lives: Lives, moment: Moment) -> Lives:
    match moment.signal:
        case CalendarRead():
            return _calendar(lives, moment.signal, moment.now)
        case Booted():
            # The driver's queue went with the process: what was under way is read and decided anew.
            return {key: replace(life, pending="") for key, life in lives.items()}
        case CalendarWritten(command=command):
            return {
                key: _written(life, moment.signal) if life.pending == command else life
                for key, life in lives.items()
            }
        case _:
            return lives


def _answer(lives: Lives, key: str) -> tuple[Life, Effect | None]:
    """Answer an invitation once: accept, or decline what overlaps a meeting accepted before."""
    life = lives[key]
    if life.accepted or life.unread or life.phase not in LIVE:
        return life, None
    start, end = life.meeting.start, life.meeting.end
    for other in lives.values():
        taken = other.accepted and other.phase in LIVE
        if taken and other.meeting.start < end and start < other.end:
            reason = "the room is taken then"
            declined = replace(life, phase="declined", over_at=end, reason=reason)
            return declined, Effect("decline", life.meeting, end, reason)
    return replace(life, accepted=True), Effect("accept", life.meeting, end, "the room is free")


def _written(life: Life, signal: CalendarWritten) -> Life:
    """A refused write is forgotten: the next read says what holds, and it is decided anew."""
    if signal.outcome == "ok":
        return replace(life, pending="")
    return replace(life, pending=REREAD, end=life.meeting.end, reason=f"calendar: {signal.detail}")


def _calendar(lives: Lives, read: CalendarRead, now: Now) -> Lives:
    after: Lives = {}
    seen = {m.key: m for m in read.meetings if not m.all_day}
    for key, life in lives.items():
        if key not in seen:
            after[key] = _vanished(life, now)
    for key, meeting in seen.items():
        after[key] = _merged(lives.get(key), meeting, now)
    return after


def _merged(life: Life | None, meeting: Meeting, now: Now) -> Life:
    if life is None:
        phase = "cancelled" if meeting.cancelled else "booked"
        over = now.wall if meeting.cancelled else 0.0
        return Life(meeting, phase, meeting.end, over_at=over)  # type: ignore[arg-type]
    if meeting.cancelled and life.phase in LIVE:
        return replace(
            life, meeting=meeting, phase="cancelled", over_at=now.wall, reason="cancelled"
        )
    revived = life.phase == "cancelled" and not meeting.cancelled
    moved = meeting.start != life.meeting.start
    if revived or (life.phase == "no_show" and moved and meeting.end > now.wall):
        return Life(meeting, "booked", meeting.end, accepted=life.accepted)
    if life.phase == "open" and moved:
        life = replace(life, phase="booked")
    # While our own write is under way the calendar still shows the old end.
    writing = life.pending not in ("", REREAD)
    end = life.end if writing or life.phase not in LIVE else meeting.end
    pending = life.pending if writing else ""
    return replace(life, meeting=meeting, end=end, unread=False, pending=pending)


def _vanished(life: Life, now: Now) -> Life:
    if life.phase not in LIVE or life.unread:
        return life
    return replace(life, phase="cancelled", over_at=now.wall, reason="removed from the calendar")


def _operator(lives: Lives, moment: Moment) -> tuple[Lives, list[Effect]]:
    signal = moment.signal
    if not isinstance(signal, OperatorAsked):
        return {}, []
    if signal.verb == "book":
        return _walk_up(lives, signal, moment)
    key = signal.meeting
    life = lives.get(key) if key else current(lives, moment.now.wall)
    if life is None:
        return {}, []
    key = life.meeting.key
    match signal.verb:
        case "check_in":
            changed, effect = check_in(life, moment.now, f"checked in at the {signal.who}")
        case "extend":
            seconds = signal.seconds or moment.rules.extend_step_s
            reason = f"extended at the {signal.who}"
            changed, effect = extend(life, seconds, next_start(lives, key), reason)
        case "end":
            changed, effect = finish(life, moment.now, f"ended at the {signal.who}")
        case _:
            return {}, []
    return {key: changed}, [effect] if effect is not None else []


def _walk_up(lives: Lives, signal: OperatorAsked, moment: Moment) -> tuple[Lives, list[Effect]]:
    """Book from now: the UID is minted here, so it works while the calendar is away."""
    wall = moment.now.wall
    busy = any(x.phase in LIVE and x.meeting.start <= wall < x.end for x in lives.values())
    starts = [x.meeting.start for x in lives.values() if x.phase in LIVE]
    end = min([wall + (signal.seconds or 1800.0), *(at for at in starts if at > wall)])
    if busy or end - wall < 60:
        return {}, []
    uid = f"{moment.ident}@roomkeeper"
    meeting = Meeting(uid=uid, start=wall, end=end, title=signal.title or "Walk-up meeting")
    reason = f"booked at the {signal.who}"
    life = Life(
        meeting, "active", end, accepted=True, checked_in_at=wall, unread=True, reason=reason
    )
    return {meeting.key: life}, [Effect("book", meeting, end, reason)]
