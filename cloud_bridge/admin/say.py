"""How the page says times, ages, phases and sources. Pure."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from edge.contracts.base import local_time

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
NONE = "\u2013"
STALE_S = 300.0
"""A room or a figure that said nothing for so long is stale."""


@dataclass(frozen=True, slots=True)
class Say:
    """Times in the operators' zone, 24 h. now: wall seconds that ages count from."""

    zone: ZoneInfo
    now: float

    def clock(self, wall: float) -> str:
        """Return 14:05."""
        return f"{self._local(wall):%H:%M}" if wall else NONE

    def exact(self, wall: float) -> str:
        """Return 14:05:09, with the date when it is not today's."""
        if not wall:
            return NONE
        local = self._local(wall)
        return f"{local:%H:%M:%S}" if self._today(local) else f"{local:%d %b %H:%M:%S}"

    def moment(self, wall: float) -> str:
        """Return 14:05, with weekday and day when it is not today's."""
        if not wall:
            return NONE
        local = self._local(wall)
        return f"{local:%H:%M}" if self._today(local) else f"{local:%a %d %b %H:%M}"

    def span(self, start: float, end: float) -> str:
        """Return 14:05-15:00 with a proper dash."""
        return f"{self.clock(start)}\u2013{self.clock(end)}"

    def day(self, wall: float) -> str:
        """Return weekday and date, "" for today."""
        local = self._local(wall)
        return "" if self._today(local) else f"{local:%A, %d %B}"

    def age(self, wall: float) -> str:
        """Return how long ago, coarsely, so that it does not change every second."""
        return self.lasts(self.now - wall, "just now", " ago") if wall else "never"

    def lasts(self, seconds: float, short: str, after: str = "") -> str:
        """Return a duration in one unit: 40 s, 3 min, 5 h, 2 days."""
        if seconds < 20:
            return short
        if seconds < MINUTE:
            return f"{int(seconds // 20) * 20} s{after}"
        if seconds < HOUR:
            return f"{int(seconds // MINUTE)} min{after}"
        if seconds < 2 * DAY:
            return f"{int(seconds // HOUR)} h{after}"
        return f"{int(seconds // DAY)} days{after}"

    def iso(self, wall: float) -> str:
        """Return the instant for files: 2026-05-28T14:05:09+02:00, "" for none."""
        return self._local(wall).isoformat(timespec="seconds") if wall else ""

    def _local(self, wall: float) -> datetime:
        return local_time(wall, self.zone)

    def _today(self, local: datetime) -> bool:
        return local.date() == self._local(self.now).date()


SOURCES = {
    "camera": "camera",
    "microphone": "microphone",
    "calendar": "calendar",
    "broker:room": "room's broker",
    "broker:site": "line to the service",
    "service": "service",
    "occupancy": "occupancy model",
}
REMEDIES = {
    "camera": "Check its cable and the privacy switch; the room goes on with its other sensors.",
    "microphone": "Check its cable; the room goes on with its other sensors.",
    "calendar": "Check the calendar server and the room's account; the last read day stays in use.",
    "broker:room": "Check the broker in the room; devices keep their last state until it is back.",
    "broker:site": "Check the network between room and service; nothing is lost meanwhile.",
    "service": "See whether ingest runs; the room keeps what it could not send.",
    "occupancy": "Restart the room's process; until then plain rules judge presence.",
    "node": "Check the sensor board's power and Wi-Fi.",
    "plugin": "Read its last error in the audit trail; the schedule stands in for it.",
}


def source_name(source: str) -> str:
    """Return a source's name for people."""
    kind, _, name = source.partition(":")
    return SOURCES.get(source) or (f"{_KINDS[kind]} {name}" if kind in _KINDS else source)


def remedy(source: str) -> str:
    """Return what to do about a source that is not well."""
    known = REMEDIES.get(source) or REMEDIES.get(source.partition(":")[0])
    return known or "See its last error in the audit trail."


_KINDS = {"node": "sensor board", "plugin": "plugin"}
