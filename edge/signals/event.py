"""What one parsed VEVENT says, bounded: texts, tags, organiser, whether it books the room."""

import re
from typing import Any

TAG = re.compile(r"(?:^|\s)#(\w[\w-]{0,39})")
CATEGORY_LIMIT = 20
DESCRIPTION_LIMIT = 10_000


def text(event: Any, name: str, limit: int) -> str:
    """Return a property as one line of at most `limit` printable characters, "" if missing."""
    return _plain(_raw(event, name)[: 4 * limit])[:limit]


def token(event: Any, name: str) -> str:
    """Return a property such as STATUS in upper case, "" if missing."""
    return text(event, name, 40).upper()


def categories(event: Any) -> tuple[str, ...]:
    """Return CATEGORIES, then the #tags of summary and description; lower case, each once."""
    found = [_category(str(name)) for value in _all(event, "CATEGORIES") for name in _names(value)]
    for name in ("SUMMARY", "DESCRIPTION"):
        found += TAG.findall(_raw(event, name)[:DESCRIPTION_LIMIT])
    unique = dict.fromkeys(name.lower() for name in found if name)
    return tuple(unique)[:CATEGORY_LIMIT]


def organiser(event: Any) -> str:
    """Return the organiser's name, else the address, "" if missing."""
    for value in _all(event, "ORGANIZER"):
        name = getattr(value, "params", {}).get("CN", "")
        return _plain(str(name or address(value)))[:200]
    return ""


def address(value: Any) -> str:
    """Return a calendar address without its mailto:, in lower case."""
    return str(value).strip().lower().removeprefix("mailto:")


def excluded(event: Any, attendee: str) -> bool:
    """Whether the event leaves the room free: transparent, or declined by the room.

    attendee: the room's address; without it the attendee that is a room or resource.
    """
    if token(event, "TRANSP") == "TRANSPARENT":
        return True
    for value in _all(event, "ATTENDEE"):
        params = getattr(value, "params", {})
        kind = str(params.get("CUTYPE", "")).upper()
        mine = address(value) == attendee.lower() if attendee else kind in {"ROOM", "RESOURCE"}
        if mine and str(params.get("PARTSTAT", "")).upper() == "DECLINED":
            return True
    return False


def _raw(event: Any, name: str) -> str:
    return next((str(value) for value in _all(event, name)), "")


def _all(event: Any, name: str) -> list[Any]:
    value = event.get(name)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _names(value: Any) -> list[Any]:
    return list(getattr(value, "cats", [value]))


def _category(name: str) -> str:
    return _plain(name).lstrip("#")[:40]


def _plain(raw: str) -> str:
    """Return the words with one blank between them, without what a terminal would obey."""
    line = " ".join(raw.split())
    if line.isprintable():
        return line
    return " ".join("".join(filter(str.isprintable, line)).split())
