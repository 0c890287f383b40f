"""Calendar times as the contracts carry them: wall seconds, and the id of one of a series."""

from datetime import UTC, date, datetime, time, tzinfo


def as_utc(value: date | datetime, zone: tzinfo) -> datetime:
    """Return the instant of a calendar value; a floating time or a date is one of `zone`."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(), zone)
    elif value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    return value.astimezone(UTC)


def instant(value: date | datetime, zone: tzinfo) -> float:
    """Return seconds since 1970 UTC of a calendar value in a room in `zone`."""
    return as_utc(value, zone).timestamp()


def recurrence_key(value: date | datetime, zone: tzinfo) -> str:
    """Return a RECURRENCE-ID as the contracts write it, such as 2026-11-21T09:00:00Z."""
    return as_utc(value, zone).strftime("%Y-%m-%dT%H:%M:%SZ")
