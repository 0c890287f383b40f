"""told(state, about, now): everything Home Assistant is told of a room at one instant. Pure."""

import math

from edge.contracts.base import Now, Value
from edge.contracts.gating import GateRule
from edge.contracts.wire import HomeMessage
from edge.decide.core import CoreState
from edge.fusion.evidence import fresh
from edge.fusion.state import READING_STALE_S, Reading
from edge.home.about import About
from edge.meetings.life import Life, current, upcoming


def told(state: CoreState, about: About, now: Now) -> HomeMessage:
    """Return the message; what is not known, or not known any more, is None."""
    room = state.room
    timed = now.trusted and room.clock_trusted
    life = current(state.lives, now.wall) if timed else None
    following = upcoming(state.lives, now.wall) if timed else None
    readings = {name: fresh(room.readings.get(name), READING_STALE_S, now.mono)
                for name in ("temperature", "co2")}  # fmt: skip
    return HomeMessage(
        occupied=room.presence.occupied if room.presence.known else None,
        people=room.presence.count if room.presence.counted else None,
        temperature=_figure(readings["temperature"], 1),
        co2=_figure(readings["co2"], 0),
        noise=_figure(fresh(room.level, about.level_stale_s, now.mono), 0),
        meeting=_meeting(life),
        title=life.meeting.title if life is not None and _shared(life, about) else "",
        next_min=None if following is None else _minutes(following, now),
        mode=", ".join(state.modes) or "normal",
        paused=state.pause is not None,
        actuators={rule.actuator: _value(state, rule) for rule in about.rules},
    )


def _figure(reading: Reading | None, digits: int) -> float | None:
    return None if reading is None else round(reading.value, digits)


def _meeting(life: Life | None) -> str:
    return "free" if life is None else "active" if life.phase == "active" else "open"


def _shared(life: Life, about: About) -> bool:
    return about.share_titles and not life.meeting.private


def _minutes(life: Life, now: Now) -> int:
    return math.ceil(max(0.0, life.meeting.start - now.wall) / 60)


def _value(state: CoreState, rule: GateRule) -> Value | None:
    """What the device says it is; as long as it says nothing, what it was last told."""
    reported = state.room.reported.get(rule.actuator)
    given = state.given.get(rule.actuator)
    return reported if reported is not None else None if given is None else given.value
