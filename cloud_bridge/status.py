"""What each room is told about its machines: standings turned into reports. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from cloud_bridge.types import Standing
from edge.contracts.wire import MachineReport, MachinesMessage

GONE_KEPT_S = 600.0
"""How long a machine that is no more is still shown as gone."""


def messages(
    standings: Iterable[Standing], before: Mapping[str, MachinesMessage], wall: float
) -> dict[str, MachinesMessage]:
    """Return the rooms' messages that differ from `before`; a report's `at` is its last change."""
    rooms: dict[str, dict[str, Standing]] = {room: {} for room in before}
    for standing in standings:
        rooms.setdefault(standing.room, {})[standing.key] = standing
    changed = {}
    for room, mine in rooms.items():
        old = before.get(room)
        reports = _reports(mine, () if old is None else old.machines, wall)
        if old is None or reports != old.machines:
            changed[room] = MachinesMessage(room, wall, reports)
    return changed


def _reports(
    standings: Mapping[str, Standing], before: Iterable[MachineReport], wall: float
) -> tuple[MachineReport, ...]:
    known = {report.key: report for report in before}
    reports = [_report(each, known.get(each.key), wall) for each in standings.values()]
    for old in known.values():
        if old.key in standings:
            continue
        if old.phase == "gone":
            if wall < old.at + GONE_KEPT_S:
                reports.append(old)
        elif old.phase not in ("wanted", "refused", "failed"):
            gone = MachineReport(old.key, old.meeting, old.template, "gone", wall, until=old.until)
            reports.append(gone)
    return tuple(sorted(reports, key=lambda report: report.key))


def _report(standing: Standing, old: MachineReport | None, wall: float) -> MachineReport:
    new = MachineReport(
        standing.key,
        standing.meeting,
        standing.template,
        standing.phase,
        wall,
        standing.address,
        standing.until,
        standing.detail,
        standing.next_start,
        standing.smaller,
    )
    if old is None:
        return new
    return old if msgspec.structs.replace(new, at=old.at) == old else new
