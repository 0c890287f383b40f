"""What the calendar was asked and has not answered: refused writes, and writes lost on the way."""

from msgspec.structs import replace

from edge.contracts.base import Now
from edge.contracts.signals import CalendarWritten
from edge.meetings.life import REREAD, RETRY_CAP_S, RETRY_S, Effect, Life, Lives

WORTH_S = 3600.0
"""How long after its meeting a write is still worth asking for."""


def asked_for(life: Life, effect: Effect) -> Life:
    """Return the life that waits for the calendar's answer to `effect`."""
    if effect.verb == "extend":
        return replace(life, pending=effect.id)
    others = tuple(one for one in life.owed if one.verb != effect.verb)
    return replace(life, owed=(*others, effect))


def forgotten(life: Life) -> Life:
    """Return the life after a restart: the driver's queue went with the process.

    An extension is decided anew from what the calendar says; the rest is asked again.
    """
    owed = tuple(replace(one, id="") for one in life.owed)
    return replace(life, pending="", opened_at=0.0, owed=owed)


def owed(lives: Lives, now: Now) -> list[Effect]:
    """Return what has to be asked again; a meeting that was moved since is another question."""
    return [
        replace(effect, meeting=life.meeting)
        for life in lives.values()
        for effect in life.owed
        if not effect.id
        and effect.meeting.start == life.meeting.start
        and now.wall < effect.end + WORTH_S
    ]


def written(life: Life, signal: CalendarWritten, now: Now) -> Life:
    """Return the life after an answer to a write; what was refused is decided anew after a read."""
    if life.pending == signal.command:
        return _extended(life, signal, now)
    if any(one.id == signal.command for one in life.owed):
        return replace(life, owed=tuple(x for x in life.owed if x.id != signal.command))
    return life


def _extended(life: Life, signal: CalendarWritten, now: Now) -> Life:
    if signal.outcome == "ok":
        return replace(life, pending="", refused=0)
    wait = min(RETRY_S * 2**life.refused, RETRY_CAP_S)
    return replace(
        life,
        pending=REREAD,
        end=life.meeting.end,
        extended=life.extended - 1,
        refused=min(life.refused + 1, 16),
        retry_at=now.wall + wait,
        reason=f"calendar: {signal.detail}",
    )
