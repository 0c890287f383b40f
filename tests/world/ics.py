"""Calendar files for tests and demos, written out as text: no library between them and the code."""

from datetime import UTC, datetime


def stamp(at: float) -> str:
    """Return wall seconds as a UTC time of iCalendar."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")


def event(uid: str, start: float, end: float, *lines: str) -> str:
    """Return one VEVENT with further content lines."""
    body = [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"DTSTART:{stamp(start)}",
        f"DTEND:{stamp(end)}",
        *lines,
        "END:VEVENT",
    ]
    return "\r\n".join(body)


def calendar(*events: str) -> str:
    """Return a calendar file with these components."""
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Roomkeeper//Tests//EN"]
    return "\r\n".join([*head, *events, "END:VCALENDAR", ""])
