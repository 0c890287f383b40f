"""From an iCalendar file to the meetings of a window. Pure; the file is not trusted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from edge.contracts.signals import Meeting
from edge.contracts.times import instant, recurrence_key
from edge.signals.event import categories, excluded, organiser, text, token
from edge.signals.rules import refuse_rules

FILE_LIMIT = 1024 * 1024
INSTANCE_LIMIT = 1000
COMPONENT_LIMIT = 2000
EARLIEST_SERIES = date(1970, 1, 1)
MARGIN = timedelta(days=1, hours=1)
"""What a floating time or an all-day event may lie off the instant the library takes it for."""

HOSTILE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    NotImplementedError,
)
"""What the parsers raise on files nobody should have written; seen by feeding them such files."""

Moved = Mapping[tuple[str, str], timedelta]


class IcsError(ValueError):
    """A file that is not read; the text says why."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """The meetings of a file inside a window, and how many entries were skipped and why."""

    meetings: tuple[Meeting, ...]
    skipped: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Where and when a file is looked at: the window (end exclusive), the room and the file."""

    start: datetime
    end: datetime
    zone: ZoneInfo
    href: str
    etag: str
    attendee: str


def expand(
    ics: bytes,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    href: str,
    etag: str,
    attendee: str = "",
) -> Expanded:
    """Return the meetings of `ics` that overlap [start, end), both aware; never raises on `ics`.

    zone: the room's, for floating times and all-day events. attendee: the room's address, to see
    what it declined; without it the attendee that is a room or resource is taken. Skipped whole:
    a file over 1 MB, without sense, or with over 1000 instances in the window.
    """
    view = View(start, end, zone, href, etag, attendee)
    try:
        return _expand(ics, view)
    except IcsError as error:
        reason = str(error)
    except HOSTILE as error:
        reason = f"cannot be read ({type(error).__name__}: {error})"[:200]
    return Expanded((), 1, (f"{href}: {reason}",))


def _expand(ics: bytes, view: View) -> Expanded:
    calendar = _parse(ics)
    events = calendar.walk("VEVENT")
    _check_starts(events)
    series = {str(e.get("UID")) for e in events if {"RRULE", "RDATE", "RECURRENCE-ID"} & set(e)}
    moved = _moves(events, view.zone)
    found = recurring_ical_events.of(calendar).between(view.start - MARGIN, view.end + MARGIN)
    if len(found) > INSTANCE_LIMIT:
        raise IcsError(f"has {len(found)} instances in the window: at most {INSTANCE_LIMIT}")
    meetings, reasons = [], []
    for event in found:
        try:
            meeting = _meeting(event, series, moved, view)
        except HOSTILE as error:
            reasons.append(f"{view.href}: an instance cannot be read ({error})"[:200])
            continue
        if meeting and meeting.end > view.start.timestamp() and _before_end(meeting, view):
            meetings.append(meeting)
    return Expanded(tuple(meetings), len(reasons), tuple(reasons))


def _before_end(meeting: Meeting, view: View) -> bool:
    return meeting.start < view.end.timestamp()


def _parse(ics: bytes) -> Any:
    if len(ics) > FILE_LIMIT:
        raise IcsError(f"is {len(ics)} bytes: at most {FILE_LIMIT}")
    source = ics.decode("utf-8", errors="replace")
    if "BEGIN:VCALENDAR" not in source.upper():
        raise IcsError("is not an iCalendar file")
    if source.upper().count("BEGIN:") > COMPONENT_LIMIT:
        raise IcsError(f"has over {COMPONENT_LIMIT} components")
    reason = refuse_rules(source)
    if reason:
        raise IcsError(reason)
    return icalendar.Calendar.from_ical(source)


def _check_starts(events: list[Any]) -> None:
    for event in events:
        if "DTSTART" not in event:
            raise IcsError("has an event without DTSTART")
        first = event["DTSTART"].dt
        day = first.date() if isinstance(first, datetime) else first
        if "RRULE" in event and day < EARLIEST_SERIES:
            raise IcsError(f"has a series that begins in {day.year}: from 1970 on is read")


def _moves(events: list[Any], zone: ZoneInfo) -> Moved:
    """Return by how much each RANGE=THISANDFUTURE change moved its instances."""
    moves = {}
    for event in events:
        original = event.get("RECURRENCE-ID")
        if original is not None and original.params.get("RANGE") == "THISANDFUTURE":
            shift = instant(event["DTSTART"].dt, zone) - instant(original.dt, zone)
            moves[str(event.get("UID")), recurrence_key(original.dt, zone)] = timedelta(
                seconds=shift
            )
    return moves


def _recurrence_id(event: Any, moved: Moved, zone: ZoneInfo) -> str:
    # The library hands the change's own RECURRENCE-ID to all instances that follow it.
    own = event["RECURRENCE-ID"]
    key = recurrence_key(own.dt, zone)
    shift = moved.get((str(event.get("UID")), key))
    if shift is None or own.params.get("RANGE") != "THISANDFUTURE":
        return key
    begin: date | datetime = event["DTSTART"].dt
    return recurrence_key(begin - shift, zone)


def _meeting(event: Any, series: set[str], moved: Moved, view: View) -> Meeting | None:
    """Return one instance, or None when it does not book the room."""
    if excluded(event, view.attendee):
        return None
    uid = text(event, "UID", 255)
    if not uid:
        raise IcsError("has an event without UID")
    begin = cast("date | datetime", event["DTSTART"].dt)
    start, end = instant(begin, view.zone), instant(event["DTEND"].dt, view.zone)
    if end <= start:
        return None
    private = token(event, "CLASS") in {"PRIVATE", "CONFIDENTIAL"}
    return Meeting(
        uid=uid,
        start=start,
        end=end,
        recurrence_id=_recurrence_id(event, moved, view.zone) if uid in series else "",
        title="" if private else text(event, "SUMMARY", 200),
        organiser="" if private else organiser(event),
        categories=categories(event),
        cancelled=token(event, "STATUS") == "CANCELLED",
        tentative=token(event, "STATUS") == "TENTATIVE",
        private=private,
        all_day=not isinstance(begin, datetime),
        href=view.href,
        etag=view.etag,
    )
