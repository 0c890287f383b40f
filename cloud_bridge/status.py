"""What each room is told about its machines: standings turned into reports. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from cloud_bridge.types import Machine, Standing
from edge.contracts.wire import MachineReport, MachinesMessage

GONE_KEPT_S = 600.0
"""How long a machine that is no more is still shown as gone."""


def expected(machines: Iterable[Machine], boots: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return when each booting machine is likely to be ready, wall seconds: as half of them were.

    boots: template -> measured seconds; a template that was never measured says nothing.
    """
    return {
        one.key: float(round(one.created + median(boots[one.template])))
        for one in machines
        if one.ours and one.phase == "booting" and boots.get(one.template)
    }


def messages(
    standings: Iterable[Standing],
    before: Mapping[str, MachinesMessage],
    wall: float,
    likely: Mapping[str, float] | None = None,
) -> dict[str, MachinesMessage]:
    """Return the rooms' messages that differ from `before`; a report's `at` is its last change.

    likely: key -> when a machine in the making is likely to be ready.
    """
    rooms: dict[str, dict[str, Standing]] = {room: {} for room in before}
    for standing in standings:
        rooms.setdefault(standing.room, {})[standing.key] = standing
    changed = {}
    for room, mine in rooms.items():
        old = before.get(room)
        reports = _reports(mine, () if old is None else old.machines, wall, likely or {})
        if old is None or reports != old.machines:
            changed[room] = MachinesMessage(room, wall, reports)
    return changed


def _reports(
    standings: Mapping[str, Standing],
    before: Iterable[MachineReport],
    wall: float,
    likely: Mapping[str, float],
) -> tuple[MachineReport, ...]:
    known = {report.key: report for report in before}
    reports = [_report(each, known.get(each.key), wall, likely) for each in standings.values()]
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


def _report(
    standing: Standing, old: MachineReport | None, wall: float, likely: Mapping[str, float]
) -> MachineReport:
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
        likely.get(standing.key, 0.0) if standing.phase == "booting" else 0.0,
    )
    if old is None:
        return new
    return old if msgspec.structs.replace(new, at=old.at) == old else new
