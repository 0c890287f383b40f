"""What people ask for at the panel: check in, extend, end, book, a machine."""

from msgspec.structs import replace

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
SHORTEST_S = 60.0


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
        case "machine" if life.phase in LIVE and isinstance(signal.value, str):
            changed, effect = replace(life, vm=signal.value), None
        case _:
            return {}, []
    return {key: changed}, [effect] if effect is not None else []


def _seconds(signal: OperatorAsked, default: float) -> float:
    """How long a person asked for; nothing said is the default, nonsense is nothing."""
    return (signal.seconds or default) if 0 <= signal.seconds <= WISH_LIMIT_S else 0.0


def _walk_up(lives: Lives, signal: OperatorAsked, moment: Moment) -> tuple[Lives, list[Effect]]:
    """Book from now, or a later start: the UID is minted here, so it works without a calendar."""
    wall = moment.now.wall
    start = signal.start or wall
    later = start > wall
    busy = (not later and not free(lives, "")) or any(
        x.phase in LIVE and x.meeting.start <= start < x.end for x in lives.values()
    )
    starts = [x.meeting.start for x in lives.values() if x.phase in LIVE]
    end = min([start + _seconds(signal, WALK_UP_S), *(at for at in starts if at > start)])
    if busy or end - start < SHORTEST_S or not wall <= start <= wall + WISH_LIMIT_S:
        return {}, []
    uid = f"{moment.ident}@roomkeeper"
    meeting = Meeting(uid=uid, start=start, end=end, title=signal.title or "Walk-up meeting")
    life = Life(
        meeting,
        "booked" if later else "active",
        end,
        accepted=True,
        checked_in_at=0.0 if later else wall,
        unread=True,
        reason=f"booked at the {signal.who}",
        vm=signal.value if isinstance(signal.value, str) else "",
    )
    return {meeting.key: life}, [Effect("book", meeting, end, life.reason)]
