"""A made-up working day: who is in the room when, and what its sensors say of that. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from edge.contracts.base import Value
from edge.contracts.gating import GateRule
from edge.contracts.signals import (
    CalendarRead,
    ClockChecked,
    ContactChanged,
    Meeting,
    MotionChanged,
    NodeReading,
    OperatorAsked,
    PeopleCounted,
    Signal,
    SoundMeasured,
)
from edge.decide.intents import Intent
from edge.decide.sky import Place, sky

PLACE = Place(52.52, 13.405, "Europe/Berlin")
DATE = (2026, 3, 10)
BEGIN_H, END_H = 7.5, 19.5
STEP_S = 20.0
"""How often sensors are read."""

ACTUATORS: tuple[tuple[GateRule, Value], ...] = (
    (GateRule("light.main", 0, 100, rate_per_min=30), 0),
    (GateRule("light.front", 0, 100, rate_per_min=30), 0),
    (GateRule("climate.setpoint", 15, 28, rate_per_min=6), 18.0),
    (GateRule("ventilation.level", 0, 100, rate_per_min=6), 0),
    (GateRule("blind.main", 0, 100, rate_per_min=6), 0),
    (GateRule("camera.preset", values=("home", "table", "presenter")), "home"),
    (GateRule("camera.shutter", values=("open", "closed")), "closed"),
    (GateRule("microphone.gain", 0, 100, rate_per_min=30), 50),
    (GateRule("microphone.mute", values=("on", "off")), "on"),
    (GateRule("display.power", values=("on", "off")), "off"),
    (GateRule("display.input", values=("signage", "hdmi1")), "signage"),
)
"""What the room can move, and its value at rest."""

INTENTS = (
    Intent("quiet-video", "Quiet", ("quiet",), {"light.main": 60, "climate.setpoint": 21.5}),
    Intent("presentation", "Slides", ("slides",), {"light.main": 30, "climate.setpoint": 21.0}),
    Intent("default", "Meeting", (), {"climate.setpoint": 21.0}),
)

PEOPLE = (
    (8.6, 1), (8.75, 0), (8.95, 2), (9.05, 4), (10.02, 1), (10.1, 0), (12.95, 3), (13.1, 6),
    (14.5, 2), (14.6, 0), (16.2, 2), (16.9, 0), (18.5, 1), (18.8, 0),
)  # fmt: skip
"""(local hour, people from then on): two meetings, a walk-up, somebody who cleans."""

HANDS = ((13.5, OperatorAsked("panel", "set", actuator="light.main", value=100, seconds=900.0)),)
WINDOW = (11.6, 11.9)


def wall(hour: float) -> float:
    """Return wall seconds of a local hour of the day."""
    return datetime(*DATE, tzinfo=ZoneInfo(PLACE.timezone)).timestamp() + hour * 3600


def meetings() -> tuple[Meeting, ...]:
    """Return the day's bookings; to the second nobody comes."""
    rows = (
        (9.0, 10.0, "Weekly", "quiet"), (11.0, 11.5, "Nobody comes", ""),
        (13.0, 14.5, "Review", "slides"),
    )  # fmt: skip
    return tuple(
        Meeting(title.lower().replace(" ", "-"), wall(start), wall(end), title=title,
                categories=(tag,) if tag else ())
        for start, end, title, tag in rows
    )  # fmt: skip


@dataclass(slots=True)
class Day:
    """Says what the sensors say, every STEP_S; `values` is what the devices stand at."""

    values: dict[str, Value] = field(default_factory=lambda: {r.actuator: v for r, v in ACTUATORS})
    temperature: float = 18.5
    co2: float = 450.0
    _people: int = -1
    _window: bool | None = None
    _hour: float = BEGIN_H

    def begin(self) -> Iterator[Signal]:
        """Yield what a room hears first."""
        yield ClockChecked("clock", True)
        yield CalendarRead("calendar", meetings())

    def read(self, hour: float) -> Iterator[Signal]:
        """Yield what is new at a local hour; the room has lived on since the last call."""
        yield from (wish for at, wish in HANDS if self._hour < at <= hour)
        self._live(hour)
        people = next((count for at, count in reversed(PEOPLE) if at <= hour), 0)
        if (people > 0) != (self._people > 0) or self._people < 0:
            yield MotionChanged("node:desk", people > 0)
        self._people = people
        window = WINDOW[0] <= hour < WINDOW[1]
        if window != self._window:
            self._window = window
            yield ContactChanged("node:desk", "window", window)
        yield PeopleCounted("camera", people, 0.8)
        talk = people > 1 and math.sin(hour * 400) > -0.6
        loud = -28.0 if talk else -52.0
        yield SoundMeasured("microphone", loud, 0.95 if talk else 0.02)
        yield NodeReading("node:desk", "temperature", round(self.temperature, 1))
        yield NodeReading("node:desk", "co2", round(self.co2))
        yield NodeReading("node:desk", "illuminance", round(self._lux(hour)))

    def _live(self, hour: float) -> None:
        minutes, self._hour = max(0.0, (hour - self._hour) * 60), hour
        goal = _number(self.values, "climate.setpoint", 18.0)
        goal = 12.0 if self._window else goal + 0.2 * max(0, self._people)
        self.temperature += (goal - self.temperature) * (1 - math.exp(-minutes / 40))
        air = 8.0 if self._window else 1.0 + _number(self.values, "ventilation.level", 0.0) / 20
        rest = 420.0 + 700.0 * max(0, self._people) / air
        self.co2 += (rest - self.co2) * (1 - math.exp(-minutes * air / 60))

    def _lux(self, hour: float) -> float:
        elevation = sky(PLACE, wall(hour)).sun_elevation or 0.0
        day = 900.0 * max(0.0, math.sin(math.radians(elevation)))
        shade = 1 - 0.9 * _number(self.values, "blind.main", 0.0) / 100
        return day * shade + 4.0 * _number(self.values, "light.main", 0.0)


def _number(values: Mapping[str, Value], name: str, otherwise: float) -> float:
    value = values.get(name, otherwise)
    return float(value) if isinstance(value, int | float) else otherwise
