"""What all rooms together want of each machine. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from edge.contracts.wire import WantedMachine


@dataclass(frozen=True, slots=True)
class Need:
    """One machine that one or more rooms want. Times: wall seconds; end: the latest of theirs.

    lead_s: begun at least so long before the start, the longest of theirs.
    """

    key: str
    first: WantedMachine
    rooms: tuple[str, ...]
    start: float
    end: float
    lead_s: float = 0.0


def needs_of(rows: Iterable[tuple[str, WantedMachine]]) -> dict[str, Need]:
    """Return the needs by key; of two rooms' rows for one key the earlier one leads."""
    needs: dict[str, Need] = {}
    for room, row in sorted(rows, key=lambda item: (item[1].start, item[0])):
        known = needs.get(row.key)
        if known is None:
            needs[row.key] = Need(row.key, row, (room,), row.start, row.end, row.lead_s)
        else:
            rooms = known.rooms if room in known.rooms else (*known.rooms, room)
            end, lead_s = max(known.end, row.end), max(known.lead_s, row.lead_s)
            needs[row.key] = replace(known, rooms=rooms, end=end, lead_s=lead_s)
    return needs
