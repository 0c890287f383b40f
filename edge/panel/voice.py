"""How the panel says times, ages and numbers, in one language and the room's time zone. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from edge.contracts.base import local_time
from edge.panel.words import Words

MINUTE = 60.0
HOUR = 3600.0
JUST_NOW_S = 20.0
NONE = "\u2013"
"""Stands where there is no value."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Called with a key and holes it returns the text; the methods format values."""

    words: Words
    zone: ZoneInfo
    twelve: bool = False

    def __call__(self, key: str, **holes: object) -> str:
        """Return the text of `key` with its holes filled."""
        return self.words(key, **holes)

    def local(self, wall: float) -> datetime:
        """Return the room's local time of `wall` (seconds since 1970)."""
        return local_time(wall, self.zone)

    def midnights(self, wall: float) -> tuple[float, float]:
        """Return the wall instants between which the local day of `wall` lies (23 to 25 h)."""
        day = self.local(wall).date()
        return self._midnight(day), self._midnight(day + timedelta(days=1))

    def clock(self, wall: float) -> str:
        """Return 14:05, or 2:05 pm."""
        local = self.local(wall)
        if not self.twelve:
            return f"{local:%H:%M}"
        return f"{local.hour % 12 or 12}:{local.minute:02} {'am' if local.hour < 12 else 'pm'}"

    def span(self, start: float, end: float) -> str:
        """Return 14:05-15:00 with a proper dash."""
        return f"{self.clock(start)}\u2013{self.clock(end)}"

    def day(self, wall: float) -> str:
        """Return the weekday and date in words."""
        local = self.local(wall)
        month = self.words.months[local.month - 1]
        return self("date", weekday=self.words.days[local.weekday()], day=local.day, month=month)

    def moment(self, wall: float, now: float) -> str:
        """Return the clock time, with the weekday when it is not today's."""
        if self.local(wall).date() == self.local(now).date():
            return self.clock(wall)
        return f"{self.words.days[self.local(wall).weekday()]} {self.clock(wall)}"

    def lasts(self, seconds: float) -> str:
        """Return a duration: 25 min, 1 h, 1 h 15 min. Part minutes count up."""
        minutes = max(0, -int(-seconds // MINUTE))
        hours, rest = divmod(minutes, 60)
        if not hours:
            return self("minutes", n=rest)
        return self("hours", n=hours) if not rest else self("hours_minutes", h=hours, m=rest)

    def age(self, seconds: float) -> str:
        """Return how old something is, coarsely, so that it does not change every second."""
        if seconds < JUST_NOW_S:
            return self("just_now")
        if seconds < MINUTE:
            return self("seconds_ago", n=int(seconds // 20) * 20)
        if seconds < HOUR:
            return self("minutes_ago", n=int(seconds // MINUTE))
        return self("hours_ago", n=int(seconds // HOUR))

    def number(self, value: float, digits: int = 0) -> str:
        """Return the number with the language's decimal mark."""
        text = f"{value:.{digits}f}"
        return text if self.words.language == "en" else text.replace(".", ",")

    def _midnight(self, day: date) -> float:
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()
