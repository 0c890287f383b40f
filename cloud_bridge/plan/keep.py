"""What becomes of a machine that exists. Pure."""

from collections.abc import Mapping

from cloud_bridge.plan.needs import Need
from cloud_bridge.plan.verdict import Verdict, ending
from cloud_bridge.types import Approval, Delete, Machine, Renew, Template
from edge.contracts.base import Now
from edge.contracts.wire import MachinePhase

LEASE_SLACK_S = 0.5
"""A lease this close to what is wanted is left alone."""

UNKNOWN_TEMPLATE = Template("", 0)
NOT_EXTENDED = "its extension is not granted in full: the room on the host is promised to others"


def wanted_until(machine: Machine, need: Need | None, heard: frozenset[str]) -> float:
    """Return the end of the lease as it should be, before anybody asks whether there is room."""
    end = machine.until if need is None else need.end
    # A room not heard of since the store is new may still be using it: the lease speaks for it.
    return max(end, machine.until) if silent(machine, heard) else end


def silent(machine: Machine, heard: frozenset[str]) -> bool:
    """Return whether a room the machine was made for has not said anything yet."""
    return any(room not in heard for room in machine.rooms)


def keep(  # noqa: PLR0911 (one return for each of its cases)
    machine: Machine,
    need: Need | None,
    end: float,
    heard: frozenset[str],
    approval: Approval | None,
    templates: Mapping[str, Template],
    now: Now,
) -> Verdict:
    """Decide about a machine that exists; `end`: until when it is granted, wall seconds."""
    if machine.phase in ("creating", "ending"):
        return Verdict("creating" if machine.phase == "creating" else "ending", machine.detail)
    if need is None and not silent(machine, heard):
        return ending(Delete(machine.key, "no meeting wants it any more"), now)
    if approval is not None and approval.state == "denied":
        return ending(Delete(machine.key, f"denied by {approval.who}: {approval.reason}"), now)
    over = end + machine.grace_s
    boot_s = templates.get(machine.template, UNKNOWN_TEMPLATE).boot_s
    answer_by = machine.created + boot_s if machine.phase == "booting" else float("inf")
    if now.wall >= over:
        return ending(Delete(machine.key, "its lease and grace are over"), now)
    if machine.phase == "dead":
        return ending(Delete(machine.key, machine.detail or "it ended by itself", True), now)
    if now.wall >= answer_by:
        return ending(Delete(machine.key, f"no answer within {boot_s:g} s", True), now)
    if need is not None and _replaced(machine, need, templates, now):
        return ending(Delete(machine.key, f"{need.first.template} is wanted instead"), now)
    late = abs(machine.until - end) > LEASE_SLACK_S
    renew = Renew(machine.key, end) if late else None
    phase: MachinePhase = "booting" if machine.phase == "booting" else "ready"
    cut = need is not None and need.end - end > LEASE_SLACK_S
    detail = NOT_EXTENDED if cut else machine.detail
    return Verdict(phase, detail, renew, min(over, answer_by))


def _replaced(machine: Machine, need: Need, templates: Mapping[str, Template], now: Now) -> bool:
    """Before its meeting begins a machine of the wrong template is made anew; after, it stays."""
    name = need.first.template
    return name != machine.template and name in templates and now.wall < need.start
