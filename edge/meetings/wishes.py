"""What people ask for at the panel: check in, extend, end, book now."""

from edge.contracts.signals import Meeting, OperatorAsked
from edge.meetings.asking import keep
from edge.meetings.life import (
    LIVE,
    WISH_LIMIT_S,
    Effect,
    Life,
    Lives,
    Moment,
    current,
    free,
    next_start,
)
from edge.meetings.transitions import check_in, extend, finish, give_back

WALK_UP_S = 1800.0


def wish(lives: Lives, moment: Moment) -> tuple[Lives, list[Effect]]:
    """Return the lives that what was asked changes, and what that asks of the calendar."""
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
        case "check_in" if free(lives, key):
            reason = f"checked in at the {signal.who}"
            changed, effect = check_in(life, moment.rules, moment.now, reason)
        case "extend":
            seconds = _seconds(signal, moment.rules.extend_step_s)
            reason = f"extended at the {signal.who}"
            changed, effect = extend(life, seconds, next_start(lives, key), reason)
        case "end" if life.phase == "open" and life.asked:
            changed, effect = give_back(life, moment.now, f"given back at the {signal.who}")
        case "keep":
            changed, effect = keep(life, signal.who, moment.rules, moment.now), None
        case "end":
            changed, effect = finish(life, moment.now, f"ended at the {signal.who}")
        case _:
            return {}, []
    return {key: changed}, [effect] if effect is not None else []


def _seconds(signal: OperatorAsked, default: float) -> float:
    """How long a person asked for; nothing said is the default, nonsense is nothing."""
    return (signal.seconds or default) if 0 <= signal.seconds <= WISH_LIMIT_S else 0.0


def _walk_up(lives: Lives, signal: OperatorAsked, moment: Moment) -> tuple[Lives, list[Effect]]:
    """Book from now: the UID is minted here, so it works while the calendar is away."""
    wall = moment.now.wall
    busy = not free(lives, "") or any(
        x.phase in LIVE and x.meeting.start <= wall < x.end for x in lives.values()
    )
    starts = [x.meeting.start for x in lives.values() if x.phase in LIVE]
    end = min([wall + _seconds(signal, WALK_UP_S), *(at for at in starts if at > wall)])
    if busy or end - wall < 60:
        return {}, []
    uid = f"{moment.ident}@roomkeeper"
    meeting = Meeting(uid=uid, start=wall, end=end, title=signal.title or "Walk-up meeting")
    reason = f"booked at the {signal.who}"
    life = Life(
        meeting, "active", end, accepted=True, checked_in_at=wall, unread=True, reason=reason
    )
    return {meeting.key: life}, [Effect("book", meeting, end, reason)]
