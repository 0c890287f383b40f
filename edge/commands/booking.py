"""From a calendar file to the one meeting that is asked about; says what stands in the way."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import icalendar

from edge.contracts.signals import Meeting
from edge.contracts.times import instant
from edge.signals.event import address, token
from edge.signals.ics import FILE_LIMIT, HOSTILE, expand

WINDOWS_DAYS = (1, 7, 31, 366, 3660)
"""How far ahead is looked, one after the other: a series has no end."""


OUTSIDE = (OverflowError, ValueError, OSError)
"""What is raised about an instant that no calendar of Python's reaches."""


class BookingError(Exception):
    """A file that no plan can be made of; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Booking:
    """The meeting, and what a person should know of how it was found."""

    meeting: Meeting
    notes: tuple[str, ...]


def find(path: Path, occurrence: str, at: float, zone: ZoneInfo, attendee: str = "") -> Booking:
    """Return the first meeting of the file that ends after `at` (wall seconds).

    occurrence: a day (2026-12-01) or an instant (2026-12-01T09:00) in `zone`: the first from there.
    """
    ics = _read(path)
    begin = _begin(occurrence, zone) if occurrence else at
    days = 1 if len(occurrence) == len("2026-12-01") else WINDOWS_DAYS[-1]
    meetings, reasons = _meetings(ics, begin, days, zone, attendee)
    if not meetings:
        try:
            why = _why_none(ics, reasons, begin, occurrence, zone, attendee)
        except OUTSIDE:
            why = "begins outside of any calendar: give it a start from 1970 on"
        raise BookingError(f"{path}: {why}")
    first = meetings[0]
    if first.cancelled:
        raise BookingError(
            f"{path}: {_named(first)} is cancelled: the room does nothing, and a machine that "
            "stands for it is taken away"
        )
    if first.all_day:
        raise BookingError(
            f"{path}: {_named(first)} lasts all day: such entries are notes, no bookings; "
            "give it a time"
        )
    return Booking(first, tuple(_notes(ics, first, meetings, at, zone)))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise BookingError(f"{path}: cannot be read: {error.strerror}") from error
    if not data.strip():
        raise BookingError(f"{path}: is empty: export the event from the calendar again")
    return data


def _begin(occurrence: str, zone: ZoneInfo) -> float:
    try:
        return instant(datetime.fromisoformat(occurrence), zone)
    except (ValueError, OverflowError):
        raise BookingError(
            f"--occurrence {occurrence!r}: a day (2026-12-01) or an instant (2026-12-01T09:00)"
        ) from None


def _meetings(
    ics: bytes, begin: float, days: int, zone: ZoneInfo, attendee: str
) -> tuple[list[Meeting], tuple[str, ...]]:
    """Return what lies ahead, in order, and why something could not be read."""
    reasons: tuple[str, ...] = ()
    try:
        start = datetime.fromtimestamp(begin, UTC)
        for ahead in (n for n in WINDOWS_DAYS if n <= days):
            found = expand(ics, start, start + timedelta(days=ahead), zone, "", "", attendee)
            reasons = reasons or found.reasons
            meetings = sorted(found.meetings, key=lambda m: (m.cancelled, m.start, m.uid))
            if meetings:
                return meetings, reasons
    except OUTSIDE:
        raise BookingError("that instant is outside of any calendar") from None
    return [], reasons


def _why_none(
    ics: bytes, reasons: tuple[str, ...], begin: float, occurrence: str, zone: ZoneInfo, room: str
) -> str:
    if reasons:
        return reasons[0].removeprefix(": ")
    starts = list(_starts(ics, zone))
    if not starts:
        return "holds no event: export the event itself, not only a calendar's settings"
    if occurrence:
        return f"nothing of it lies on {occurrence}; it begins {_local(min(starts), zone)}"
    last, _ = _meetings(ics, min(starts) - 1.0, 1, zone, room)
    if not last:
        return (
            "leaves the room free: it is declined by the room, shown as free "
            "(TRANSP:TRANSPARENT), or ends before it begins"
        )
    return (
        f"{_named(last[0])} was over {_local(last[0].end, zone)}, before "
        f"{_local(begin, zone)}; --at {_local(last[0].start - 3600, zone)} shows what the "
        "room would have done"
    )


def _starts(ics: bytes, zone: ZoneInfo) -> Iterator[float]:
    for event in _events(ics):
        begin: date | datetime = event["DTSTART"].dt
        if not isinstance(begin, datetime):
            begin = datetime.combine(begin, time())
        yield instant(begin, zone)


def _events(ics: bytes) -> list[Any]:
    try:
        found = icalendar.Calendar.from_ical(ics.decode("utf-8", errors="replace"))
        return [event for event in found.walk("VEVENT") if "DTSTART" in event]
    except HOSTILE:
        return []


def _notes(
    ics: bytes, first: Meeting, meetings: list[Meeting], at: float, zone: ZoneInfo
) -> Iterator[str]:
    if first.recurrence_id:
        yield "one of a series: --occurrence 2026-12-01 asks about another day"
    others = {m.uid for m in meetings} - {first.uid}
    if others:
        yield f"{len(others)} more event(s) in the file: the earliest is planned"
    if first.tentative:
        yield "tentative: the room prepares it all the same"
    if first.start <= at:
        yield f"it has begun ({_local(first.start, zone)}): the plan starts in its midst"
    if not any(_names_room(event) for event in _events(ics)):
        yield "names no room: planned as if this room's calendar had it"


def _names_room(event: Any) -> bool:
    people = event.get("ATTENDEE", [])
    for person in people if isinstance(people, list) else [people]:
        kind = str(getattr(person, "params", {}).get("CUTYPE", "")).upper()
        if kind in ("ROOM", "RESOURCE") and address(person):
            return True
    return bool(token(event, "LOCATION"))


def _named(meeting: Meeting) -> str:
    return f'"{meeting.title}"' if meeting.title else f"the event {meeting.uid}"


def _local(wall: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(wall, zone).strftime("%Y-%m-%dT%H:%M")
