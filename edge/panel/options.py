"""What a room's panel is told about its place, besides the settings that decide."""

from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

Titles = Literal["title", "organiser", "none"]
"""What of a meeting is shown at the door; private meetings are always just that."""


@dataclass(frozen=True, slots=True)
class Options:
    """name: the room's display name; zone: its time zone; seats: people it is made for (0: unsaid).

    hosts: names the page may be asked for by, without port. streams: most event streams at once.
    hold_s: for how long a value set by hand holds unless said otherwise. door: the address at which
    people type the code of a machine.
    """

    name: str
    zone: ZoneInfo
    seats: int = 0
    titles: Titles = "title"
    twelve_hours: bool = False
    language: str = "en"
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    streams: int = 8
    hold_s: float = 3600.0
    door: str = ""
