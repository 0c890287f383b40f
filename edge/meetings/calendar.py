"""What the calendar says, taken into the lives: reads, and answers to invitations."""

from msgspec.structs import replace

from edge.contracts.base import Now
from edge.contracts.signals import CalendarRead, Meeting
from edge.meetings.life import LIVE, REREAD, Effect, Life, Lives


def answer(lives: Lives, key: str, now: Now) -> tuple[Life, Effect | None]:
    """Answer an invitation once: accept, or decline what overlaps a meeting accepted before."""
    life = lives[key]
    if life.accepted or life.phase not in LIVE or life.end <= now.wall:
        return life, None
    start, end = life.meeting.start, life.meeting.end
    for other in lives.values():
        taken = other.accepted and other.phase in LIVE
        if taken and other.meeting.start < end and start < other.end:
            reason = "the room is taken then"
            declined = replace(life, phase="declined", over_at=end, reason=reason)
            return declined, Effect("decline", life.meeting, end, reason)
    return replace(life, accepted=True), Effect("accept", life.meeting, end, "the room is free")


def read(lives: Lives, signal: CalendarRead, now: Now) -> Lives:
    """Return the lives after a read, which replaces what was known of the calendar."""
    after: Lives = {}
    seen = {m.key: m for m in signal.meetings if not m.all_day}
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
    moved = meeting.start != life.meeting.start
    revived = life.phase == "cancelled" and not meeting.cancelled
    given_up = life.phase in ("no_show", "declined") and moved and meeting.end > now.wall
    if revived or given_up:
        return Life(meeting, "booked", meeting.end)
    if life.phase in ("booked", "open") and (moved or meeting.end > life.end):
        # Other times are another question to the room.
        life = replace(life, phase="booked", accepted=False, opened_at=0.0)
    # While our own write is under way the calendar still shows the old end.
    writing = life.pending not in ("", REREAD)
    end = life.end if writing or life.phase not in LIVE else meeting.end
    pending = life.pending if writing else ""
    return replace(life, meeting=meeting, end=end, unread=False, pending=pending)


def _vanished(life: Life, now: Now) -> Life:
    if life.phase not in LIVE or life.unread:
        return life
    return replace(life, phase="cancelled", over_at=now.wall, reason="removed from the calendar")
