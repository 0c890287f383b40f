"""One instance in an event's file, and its times in the form the file uses. Pure."""

import copy
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import icalendar

from edge.contracts.commands import CalendarWrite
from edge.contracts.times import instant, recurrence_key

SERIES = ("RRULE", "RDATE", "EXDATE", "EXRULE")


def find(
    calendar: Any, uid: str, recurrence_id: str, zone: tzinfo, *, whole: bool = False
) -> Any | None:
    """Return the VEVENT that is this instance alone, None when there is none of its own.

    recurrence_id "": the event that is no series; with `whole` a series' master as well.
    """
    for event in calendar.walk("VEVENT"):
        if str(event.get("UID")) != uid:
            continue
        own = event.get("RECURRENCE-ID")
        if not recurrence_id and own is None and (whole or not set(SERIES) & set(event)):
            return event
        if own is not None and recurrence_key(own.dt, zone) == recurrence_id:
            if own.params.get("RANGE"):
                raise ValueError("it stands for all that follow: change it in the calendar")
            return event
    return None


def one_of_series(calendar: Any, write: CalendarWrite, zone: tzinfo) -> Any | None:
    """Add and return an exception for one instance of a series, as the series has it."""
    master, changes = None, {}
    for event in calendar.walk("VEVENT"):
        if str(event.get("UID")) != write.uid:
            continue
        own = event.get("RECURRENCE-ID")
        if own is None:
            master = event
        elif own.params.get("RANGE") and recurrence_key(own.dt, zone) < write.recurrence_id:
            changes[recurrence_key(own.dt, zone)] = event
    if master is None:
        return None
    model = changes[max(changes)] if changes else master
    start, end = times_of(model, zone)
    exception = copy.deepcopy(model)
    for name in (*SERIES, "RECURRENCE-ID", "DURATION"):
        exception.pop(name, None)
    original = datetime.fromisoformat(write.recurrence_id).timestamp()
    put_time(exception, "RECURRENCE-ID", original, zone, like=master["DTSTART"])
    put_time(exception, "DTSTART", write.start, zone, like=model["DTSTART"])
    put_time(exception, "DTEND", write.start + end - start, zone, like=model["DTSTART"])
    calendar.add_component(exception)
    return exception


def times_of(event: Any, zone: tzinfo) -> tuple[float, float]:
    """Return start and end of a VEVENT in wall seconds."""
    start = event["DTSTART"].dt
    begin = instant(start, zone)
    if "DTEND" in event:
        return begin, instant(event["DTEND"].dt, zone)
    if "DURATION" in event:
        return begin, begin + event["DURATION"].dt.total_seconds()
    if isinstance(start, datetime):
        return begin, begin
    return begin, instant(start + timedelta(days=1), zone)


def put_time(event: Any, name: str, at: float, zone: tzinfo, like: Any = None) -> None:
    """Set a time in the form (zone, floating, day) of `like`, the event's DTSTART by default.

    An instant inside a day gives a whole-day event times of day, its start included.
    """
    like = event["DTSTART"] if like is None else like
    form: date | datetime = like.dt
    if not isinstance(form, datetime):
        local = datetime.fromtimestamp(at, zone)
        if (local.hour, local.minute, local.second) == (0, 0, 0):
            event[name] = icalendar.vDDDTypes(local.date())
            return
        event["DTSTART"] = icalendar.vDDDTypes(_utc(instant(form, zone)))
        event[name] = icalendar.vDDDTypes(_utc(at))
    elif form.tzinfo is None:
        event[name] = icalendar.vDDDTypes(datetime.fromtimestamp(at, zone).replace(tzinfo=None))
    elif "TZID" in like.params:
        # The file's own name of the zone is kept: its VTIMEZONE may be known under no other.
        naive = _utc(at).astimezone(form.tzinfo).replace(tzinfo=None)
        event[name] = icalendar.vDDDTypes(naive)
        event[name].params["TZID"] = like.params["TZID"]
    else:
        event[name] = icalendar.vDDDTypes(_utc(at))


def put_stamp(event: Any, now: float) -> None:
    """Say when the event was last written."""
    for name in ("DTSTAMP", "LAST-MODIFIED"):
        event[name] = icalendar.vDDDTypes(_utc(now).replace(microsecond=0))


def stamp_of(at: float) -> str:
    """Return wall seconds as iCalendar writes them."""
    return _utc(at).strftime("%Y%m%dT%H%M%SZ")


def attendee_of(event: Any, attendee: str) -> Any | None:
    """Return the room's ATTENDEE: the one with its address, else the one that is a room."""
    value = event.get("ATTENDEE", [])
    for invitation in value if isinstance(value, list) else [value]:
        kind = str(invitation.params.get("CUTYPE", "")).upper()
        name = str(invitation).strip().lower().removeprefix("mailto:")
        if name == attendee.lower() if attendee else kind in {"ROOM", "RESOURCE"}:
            return invitation
    return None


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(round(at), UTC)
