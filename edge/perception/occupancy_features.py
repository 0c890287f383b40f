"""What the occupancy model is told: readings as values that mean the same in every room.

Standard library only: the training script uses this very file.
"""

import math
from collections import deque
from dataclasses import dataclass, fields

SLOPE_S = 600.0
SLOPE_NEEDS_S = 180.0
MOTION_S = 300.0
SOUND_S = 120.0
FLOOR_S = 3600.0
FLOOR_SHARE = 0.1
SPACING_S = 5.0
GAP_S = 600.0
"""A pause longer than this between two readings begins the history anew."""


@dataclass(frozen=True, slots=True)
class OccupancyFeatures:
    """The model's inputs; None is unknown, and so is a value outside RANGES.

    temperature_slope: °C/h over the last 10 min; illuminance: lx now; co2: ppm now; co2_slope:
    ppm/min over the last 10 min; motion: share (0..1) of the last 5 min with motion; sound: dB by
    which the last 2 min were louder than the room's quiet moments of the last hour.
    """

    temperature_slope: float | None = None
    illuminance: float | None = None
    co2: float | None = None
    co2_slope: float | None = None
    motion: float | None = None
    sound: float | None = None


NAMES: tuple[str, ...] = tuple(field.name for field in fields(OccupancyFeatures))

RANGES: dict[str, tuple[float, float]] = {
    "temperature_slope": (-60.0, 60.0),
    "illuminance": (0.0, 120_000.0),
    "co2": (250.0, 10_000.0),
    "co2_slope": (-1_000.0, 1_000.0),
    "motion": (0.0, 1.0),
    "sound": (-100.0, 100.0),
}


def usable(features: OccupancyFeatures) -> tuple[str, ...]:
    """Return the names of the inputs that are known, finite and inside RANGES."""
    found = []
    for name in NAMES:
        value = getattr(features, name)
        low, high = RANGES[name]
        if value is not None and math.isfinite(value) and low <= value <= high:
            found.append(name)
    return tuple(found)


def vector(features: OccupancyFeatures) -> list[float]:
    """Return the model's input: 6 scaled values (0 where unusable), then 6 marks (1: usable)."""
    known = usable(features)
    values = [_scaled(name, getattr(features, name)) if name in known else 0.0 for name in NAMES]
    return values + [float(name in known) for name in NAMES]


def _scaled(name: str, value: float) -> float:
    match name:
        case "temperature_slope":
            scaled = value / 2.0
        case "illuminance":
            scaled = math.log10(1.0 + value) - 1.5
        case "co2":
            scaled = (value - 420.0) / 300.0
        case "co2_slope":
            scaled = value / 5.0
        case "motion":
            scaled = 2.0 * value
        case _:
            scaled = value / 10.0
    return min(3.0, max(-3.0, scaled))


class Track:
    """Readings of one quantity over time, at most one per 5 s, none older than `span` seconds."""

    def __init__(self, span: float):
        self._span = span
        self._points: deque[tuple[float, float]] = deque()

    def add(self, mono: float, value: float) -> None:
        """Take a reading; one that is not finite, or too soon after the last, is passed over."""
        if not math.isfinite(value):
            return
        if self._points:
            age = mono - self._points[-1][0]
            if 0 <= age < SPACING_S:
                return
            if not 0 <= age < GAP_S:
                self._points.clear()
        self._points.append((mono, value))
        while mono - self._points[0][0] > self._span:
            self._points.popleft()

    def recent(self, mono: float, seconds: float) -> list[tuple[float, float]]:
        """Return the (instant, value) pairs of the last `seconds`."""
        return [point for point in self._points if 0 <= mono - point[0] <= seconds]

    def slope(self, mono: float) -> float | None:
        """Return the rise per second over the last 10 min; None with less than 3 min of them."""
        points = self.recent(mono, SLOPE_S)
        if len(points) < 3 or points[-1][0] - points[0][0] < SLOPE_NEEDS_S:
            return None
        middle = sum(at for at, _ in points) / len(points)
        spread = sum((at - middle) ** 2 for at, _ in points)
        return sum((at - middle) * value for at, value in points) / spread


class FeatureHistory:
    """Turns readings into OccupancyFeatures; used by one thread at a time.

    Call `add` with what is fresh at an instant (monotonic seconds), None for what is not, then
    `features` for the same instant. Calling it more often than every 5 s changes nothing.
    """

    def __init__(self) -> None:
        self._temperature = Track(SLOPE_S)
        self._co2 = Track(SLOPE_S)
        self._motion = Track(MOTION_S)
        self._sound = Track(FLOOR_S)
        self._now: dict[str, float | None] = {}

    def add(
        self,
        mono: float,
        *,
        temperature: float | None = None,
        illuminance: float | None = None,
        co2: float | None = None,
        motion: bool | None = None,
        level_db: float | None = None,
    ) -> None:
        """Take fresh readings: °C, lx, ppm, whether any sensor sees motion, dBFS."""
        pairs = (
            (self._temperature, temperature),
            (self._co2, co2),
            (self._motion, None if motion is None else float(motion)),
            (self._sound, level_db),
        )
        for track, value in pairs:
            if value is not None:
                track.add(mono, value)
        self._now = {"illuminance": illuminance, "co2": co2}

    def features(self, mono: float) -> OccupancyFeatures | None:
        """Return what the history says of this instant; None when it says nothing."""
        rise, co2_rise = self._temperature.slope(mono), self._co2.slope(mono)
        motion = [value for _, value in self._motion.recent(mono, MOTION_S)]
        found = OccupancyFeatures(
            temperature_slope=None if rise is None else rise * 3600.0,
            illuminance=self._now.get("illuminance"),
            co2=self._now.get("co2"),
            co2_slope=None if co2_rise is None else co2_rise * 60.0,
            motion=sum(motion) / len(motion) if motion else None,
            sound=self._louder(mono),
        )
        return found if usable(found) else None

    def _louder(self, mono: float) -> float | None:
        recent = [value for _, value in self._sound.recent(mono, SOUND_S)]
        levels = sorted(value for _, value in self._sound.recent(mono, FLOOR_S))
        if not recent or len(levels) < 3:
            return None
        floor = levels[int(FLOOR_SHARE * (len(levels) - 1))]
        return sum(recent) / len(recent) - floor
