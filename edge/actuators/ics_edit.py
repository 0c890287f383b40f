"""What a calendar write makes of an event's file. Pure; nothing it does not know is lost."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

import icalendar

from edge.actuators.ics_parts import (
    attendee_of,
    find,
    one_of_series,
    put_stamp,
    put_time,
    stamp_of,
    times_of,
)
from edge.contracts.commands import CalendarWrite

CHECKED_IN = "X-ROOMKEEPER-CHECKED-IN"
PRODUCT = "-//Roomkeeper//Room//EN"
HOSTILE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError)
"""What the parser raises on a file nobody should have written."""


class ConflictError(Exception):
    """The event is not as the write supposes; the text says in what."""


@dataclass(frozen=True, slots=True)
class Edit:
    """changed: write `data`; same: it is so already; otherwise `detail` says why not."""

    outcome: Literal["changed", "same", "conflict", "failed"]
    data: bytes = b""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """The room a write is for: its zone, for floating times, and its address in invitations."""

    zone: tzinfo
    attendee: str = ""


def edit(ics: bytes, write: CalendarWrite, room: Room, now: float, *, as_read: bool) -> Edit:
    """Return what `write` makes of the file.

    as_read: the file is the version the write was decided on. Otherwise an event whose start
    moved, whose end was moved the same way further, or that is gone is a conflict.
    """
    try:
        calendar: Any = icalendar.Calendar.from_ical(ics.decode())
        if calendar.errors or any(part.errors for part in calendar.walk()):
            return Edit("failed", detail="the event holds lines that would be lost")
        target = _target(calendar, write, room, as_read)
        if not EDITS[write.verb](target, write, room, now):
            return Edit("same")
        put_stamp(target, now)
        return Edit("changed", bytes(calendar.to_ical()))
    except HOSTILE as error:
        return Edit("failed", detail=f"the event cannot be changed: {error}"[:200])
    except ConflictError as error:
        return Edit("conflict", detail=str(error))


def _target(calendar: Any, write: CalendarWrite, room: Room, as_read: bool) -> Any:
    # An answer without an instance is one to the whole series.
    whole = write.verb in {"accept", "decline"}
    target = find(calendar, write.uid, write.recurrence_id, room.zone, whole=whole)
    if target is None:
        if not as_read or not write.recurrence_id:
            raise ConflictError("the event changed since it was read")
        target = one_of_series(calendar, write, room.zone)
    if target is None:
        raise ConflictError("the event is not there any more")
    if not as_read and write.start and times_of(target, room.zone)[0] != write.start:
        raise ConflictError("the event was moved")
    return target


def book(write: CalendarWrite, room: Room, now: float) -> bytes:
    """Return the file of a new event."""
    calendar: Any = icalendar.Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", PRODUCT)
    event: Any = icalendar.Event()
    event.add("UID", write.uid)
    event.add("DTSTART", datetime.fromtimestamp(write.start, UTC))
    event.add("DTEND", datetime.fromtimestamp(write.end, UTC))
    event.add("SUMMARY", write.title)
    put_stamp(event, now)
    if room.attendee:
        _invite(event, room.attendee, "ACCEPTED")
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def booked_as_asked(ics: bytes, write: CalendarWrite, room: Room) -> bool:
    """Whether the file is the event that `write` would have made."""
    try:
        calendar: Any = icalendar.Calendar.from_ical(ics.decode())
        event = find(calendar, write.uid, "", room.zone)
        return event is not None and times_of(event, room.zone) == (write.start, write.end)
    except HOSTILE:
        return False


def _invite(event: Any, attendee: str, partstat: str) -> None:
    invitation = icalendar.vCalAddress(f"mailto:{attendee}")
    invitation.params["CUTYPE"] = "ROOM"
    invitation.params["PARTSTAT"] = partstat
    event.add("ATTENDEE", invitation)


def _answer(partstat: str) -> "Change":
    def change(event: Any, _write: CalendarWrite, room: Room, _now: float) -> bool:
        invitation = attendee_of(event, room.attendee)
        if invitation is None:
            if partstat == "ACCEPTED":
                return False
            if not room.attendee:
                raise ValueError("the room has no address to decline with: set calendar.attendee")
            _invite(event, room.attendee, partstat)
            return True
        if str(invitation.params.get("PARTSTAT", "")).upper() == partstat:
            return False
        invitation.params["PARTSTAT"] = partstat
        invitation.params.pop("RSVP", None)
        return True

    return change


def _check_in(event: Any, _write: CalendarWrite, _room: Room, now: float) -> bool:
    if CHECKED_IN in event:
        return False
    event.add(CHECKED_IN, stamp_of(now))
    return True


def _extend(event: Any, write: CalendarWrite, room: Room, _now: float) -> bool:
    if times_of(event, room.zone)[1] > write.end:
        raise ConflictError("the event was extended further by somebody else")
    return _set_end(event, write, room)


def _shorten(event: Any, write: CalendarWrite, room: Room, _now: float) -> bool:
    if times_of(event, room.zone)[1] <= write.end or event.get("STATUS") == "CANCELLED":
        return False
    return _set_end(event, write, room)


def _set_end(event: Any, write: CalendarWrite, room: Room) -> bool:
    start, end = times_of(event, room.zone)
    if end == write.end:
        return False
    if write.end <= start:
        # No event ends before it begins: what was given back before its start is cancelled.
        event["STATUS"] = icalendar.vText("CANCELLED")
    else:
        put_time(event, "DTEND", write.end, room.zone)
        event.pop("DURATION", None)
    event["SEQUENCE"] = icalendar.vInt(int(event.get("SEQUENCE", 0)) + 1)
    return True


Change = Callable[[Any, CalendarWrite, Room, float], bool]

EDITS: dict[str, Change] = {
    "accept": _answer("ACCEPTED"),
    "decline": _answer("DECLINED"),
    "check_in": _check_in,
    "extend": _extend,
    "end": _shorten,
    "release": _shorten,
}
