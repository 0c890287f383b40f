"""Where the sun stands over the room and what the clock on its wall says. Pure.

The sun is that of the Astronomical Almanac's low-precision formulas: right to 0.01 degrees between
1950 and 2050, without the air's refraction.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from edge.contracts.base import Frozen

J2000 = 946_728_000.0
"""2000-01-01 12:00 UTC, from where the formulas count days."""
DAY_S = 86_400.0
MINUTE_S = 60.0


class Place(Frozen, frozen=True):
    """Where a room is: degrees north and east (None: nobody said), and its time zone."""

    latitude: float | None = None
    longitude: float | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Sky:
    """sun_*: degrees, azimuth clockwise from north; local_hour: 0 to 24; weekday: 0 is Monday."""

    sun_azimuth: float | None
    sun_elevation: float | None
    local_hour: float
    weekday: int


def sky(place: Place, wall: float) -> Sky:
    """Return the sky of the minute that `wall` lies in; its values are rounded for the wire."""
    return _minute(place, int(wall // MINUTE_S))


@lru_cache(maxsize=64)
def _minute(place: Place, minute: int) -> Sky:
    wall = minute * MINUTE_S
    local = datetime.fromtimestamp(wall, ZoneInfo(place.timezone))
    azimuth, elevation = None, None
    if place.latitude is not None and place.longitude is not None:
        azimuth, elevation = (round(x, 1) for x in sun(place.latitude, place.longitude, wall))
    return Sky(azimuth, elevation, round(local.hour + local.minute / 60, 2), local.weekday())


def sun(latitude: float, longitude: float, wall: float) -> tuple[float, float]:
    """Return (azimuth 0..360, elevation -90..90) of the sun in degrees at a wall instant."""
    days = (wall - J2000) / DAY_S
    anomaly = math.radians(357.528 + 0.9856003 * days)
    mean = 280.460 + 0.9856474 * days
    ecliptic = math.radians(mean + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439 - 0.0000004 * days)
    ascension = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(tilt) * math.sin(ecliptic))
    sidereal = math.radians((280.46062 + 360.98564737 * days + longitude) % 360)
    hour = sidereal - ascension
    north = math.radians(latitude)
    height = math.asin(
        math.sin(north) * math.sin(declination)
        + math.cos(north) * math.cos(declination) * math.cos(hour)
    )
    east = -math.cos(declination) * math.sin(hour)
    ahead = math.sin(declination) * math.cos(north)
    ahead -= math.cos(declination) * math.cos(hour) * math.sin(north)
    return math.degrees(math.atan2(east, ahead)) % 360, math.degrees(height)
