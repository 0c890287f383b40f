"""What becomes of one key, and how the rooms are told. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloud_bridge.plan.needs import Need
from cloud_bridge.types import Action, Delete, Machine, Standing, Wanted
from edge.contracts.base import Now
from edge.contracts.wire import MachinePhase


@dataclass(frozen=True, slots=True)
class Verdict:
    """An action or none, how the key stands after it, and when it is to be looked at again."""

    phase: MachinePhase
    detail: str = ""
    action: Action | None = None
    due: float = float("inf")
    next_start: float = 0.0
    smaller: str = ""


def ending(delete: Delete, now: Now) -> Verdict:
    """Return the end of a machine, which waits for a trusted clock."""
    if not now.trusted:
        return Verdict("ending", f"{delete.reason}; waits for a trusted clock")
    return Verdict("failed" if delete.failed else "ending", delete.reason, delete)


def standings(
    wanted: Wanted,
    needs: Mapping[str, Need],
    ours: Mapping[str, Machine],
    verdicts: Mapping[str, Verdict],
) -> Iterable[Standing]:
    """Yield what each room is told: of its wishes, and of machines that were made for it."""
    told: set[tuple[str, str]] = set()
    for room, row in wanted.rows:
        verdict = verdicts[row.key]
        if verdict.phase == "gone" or (room, row.key) in told:
            continue
        told.add((room, row.key))
        end = needs[row.key].end
        yield _standing(room, row.meeting, row.template, end, ours.get(row.key), row.key, verdict)
    for machine in ours.values():
        for room in machine.rooms:
            if (room, machine.key) not in told:
                told.add((room, machine.key))
                verdict = verdicts[machine.key]
                yield _standing(
                    room,
                    machine.meeting,
                    machine.template,
                    machine.until,
                    machine,
                    machine.key,
                    verdict,
                )


def _standing(
    room: str,
    meeting: str,
    template: str,
    until: float,
    machine: Machine | None,
    key: str,
    verdict: Verdict,
) -> Standing:
    address = machine.address if machine is not None and verdict.phase == "ready" else ""
    return Standing(
        room,
        key,
        meeting,
        template,
        verdict.phase,
        until,
        address,
        verdict.detail,
        verdict.next_start,
        verdict.smaller,
    )
