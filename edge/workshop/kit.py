"""Where the world, the SDKs and the templates are: packed beside this code, or in the tree."""

from pathlib import Path

from edge.workshop.errors import WorkshopError

TREE = Path(__file__).resolve().parents[2]
"""The checkout this code is part of; meaningless in an installed package."""
_PLACES = (Path(__file__).resolve().parent / "kit", TREE / "wasm_modules")


def kit() -> Path:
    """Return the folder that holds `wit`, `sdk` and `templates`."""
    for place in _PLACES:
        if (place / "wit" / "room.wit").is_file():
            return place
    raise WorkshopError(
        f"{_PLACES[0]} is missing: this installation has no SDK; install roomkeeper again"
    )


def policy() -> str:
    """Return the shipped policy, for rooms that are only made up."""
    for place in (_PLACES[0] / "room.cedar", TREE / "config" / "policies" / "room.cedar"):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise WorkshopError(f"{_PLACES[0]}/room.cedar is missing: install roomkeeper again")
