"""What an examination finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. advice: what to do when it is not ok."""

    name: str
    ok: bool
    detail: str
    advice: str = ""
