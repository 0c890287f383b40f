"""One meeting's transition: (life, room, now) -> life and what it asks. Pure, level-triggered."""

from msgspec.structs import replace

from edge.contracts.base import Now
from edge.fusion.state import Presence
from edge.meetings.asking import consider, withdrawn
from edge.meetings.life import REREAD, Effect, Life, MeetingRules

Step = tuple[Life, Effect | None]


def advance(
    life: Life,
    presence: Presence,
    next_start: float,
    alone: bool,
    rules: MeetingRules,
    now: Now,
    paused: bool = False,
) -> Step:
    """Return the life after this instant.

    next_start: wall seconds at which the room is booked again (infinity: not). alone: no other
    meeting is active. paused: emptiness ends nothing. Called with a trusted clock only.
    """
    if life.phase in ("open", "active") and now.wall < life.meeting.start - rules.check_in_opens_s:
        # It was moved to later.
        moved = Life(life.meeting, "booked", life.meeting.end, life.accepted, unread=life.unread)
        return replace(moved, reason="moved", vm=life.vm), None
    match life.phase:
        case "booked":
            return _booked(life, presence, alone, rules, now, paused)
        case "open":
            return _open(life, presence, alone, rules, now, paused)
        case "active":
            return _active(life, presence, next_start, rules, now, paused)
        case _:
            return life, None


def check_in(life: Life, rules: MeetingRules, now: Now, reason: str) -> Step:
    """Return the life checked in while check-in is possible; otherwise unchanged."""
    opens = life.meeting.start - rules.check_in_opens_s
    if life.phase not in ("booked", "open") or not opens <= now.wall < life.end:
        return life, None
    active = replace(life, phase="active", checked_in_at=now.wall, asked=0.0, reason=reason)
    return active, Effect("check_in", life.meeting, life.end, reason)


def extend(life: Life, seconds: float, next_start: float, reason: str) -> Step:
    """Return the life held `seconds` longer, up to the next meeting; unchanged when it cannot."""
    end = min(life.end + seconds, next_start)
    if life.phase != "active" or end <= life.end:
        return life, None
    longer = replace(life, end=end, extended=life.extended + 1, reason=reason)
    return longer, Effect("extend", life.meeting, end, reason)


def finish(life: Life, now: Now, reason: str) -> Step:
    """Return the active life ended now, its room given back."""
    if life.phase != "active":
        return life, None
    end = max(now.wall, life.meeting.start)
    over = replace(life, phase="ended", end=end, over_at=now.wall, asked=0.0, reason=reason)
    return over, Effect("end", life.meeting, end, reason)


def give_back(life: Life, now: Now, reason: str) -> Step:
    """Return the open life given up, its room released."""
    if life.phase != "open":
        return life, None
    over = replace(life, phase="no_show", over_at=now.wall, end=now.wall, asked=0.0, reason=reason)
    return over, Effect("release", life.meeting, now.wall, reason)


def _booked(
    life: Life, presence: Presence, alone: bool, rules: MeetingRules, now: Now, paused: bool
) -> Step:
    if now.wall >= life.end:
        return replace(life, phase="no_show", over_at=now.wall, reason="over before check-in"), None
    if now.wall >= life.meeting.start - rules.check_in_opens_s:
        opened = replace(life, phase="open", reason="check-in is open")
        return _open(opened, presence, alone, rules, now, paused)
    return life, None


def _open(
    life: Life, presence: Presence, alone: bool, rules: MeetingRules, now: Now, paused: bool
) -> Step:
    if now.wall >= life.end:
        return replace(life, phase="no_show", over_at=now.wall, reason="nobody checked in"), None
    if not life.opened_at:
        life = replace(life, opened_at=now.wall)
    here = presence.known and presence.occupied and _enough(presence, rules)
    if alone and here and now.wall >= life.meeting.start:
        return check_in(life, rules, now, f"people are here ({_evidence(presence)})")
    exempt = life.meeting.end - life.meeting.start >= rules.long_meeting_s
    late = now.wall >= no_show_at(life, rules)
    if not (late and not exempt and presence.known and not presence.occupied):
        return withdrawn(life), None
    life, says = consider(life, presence, paused, rules, now)
    if not says:
        return life, None
    return give_back(life, now, f"nobody came within {rules.no_show_s:.0f} s; {says}")


def no_show_at(life: Life, rules: MeetingRules) -> float:
    """Return when an open meeting is given up. Whoever learnt of it late waits as long."""
    return max(life.meeting.start, life.opened_at) + rules.no_show_s


def _active(
    life: Life,
    presence: Presence,
    next_start: float,
    rules: MeetingRules,
    now: Now,
    paused: bool,
) -> Step:
    here = presence.known and presence.occupied
    gone = presence.known and not presence.occupied and now.wall >= life.meeting.start
    ending = life.end - rules.extend_before_s <= now.wall < life.end + rules.extend_step_s
    if here and ending and life.pending != REREAD and now.wall >= life.retry_at:
        longer, effect = extend(
            life, rules.extend_step_s, next_start, f"people stay ({_evidence(presence)})"
        )
        if effect is not None:
            return replace(longer, empty_since=0.0), effect
    if now.wall >= life.end:
        reason = "the next meeting begins" if now.wall >= next_start else "its time is over"
        return replace(life, phase="ended", over_at=now.wall, reason=reason), None
    if not gone:
        life = withdrawn(life)
        return (replace(life, empty_since=0.0) if life.empty_since else life), None
    if not life.empty_since:
        life = replace(life, empty_since=now.wall)
    empty = now.wall - life.empty_since
    if not rules.empty_end_s or empty < rules.empty_end_s:
        return life, None
    life, says = consider(life, presence, paused, rules, now)
    return finish(life, now, f"empty for {empty:.0f} s; {says}") if says else (life, None)


def _enough(presence: Presence, rules: MeetingRules) -> bool:
    """Without a fresh camera count, presence itself must do."""
    return not presence.counted or presence.count >= rules.auto_check_in_people


def _evidence(presence: Presence) -> str:
    return ", ".join(item.says for item in presence.evidence if item.odds > 0) or "guess"
