"""What to do about the machines, decided from what is wanted and what exists. Pure.

`plan` is called on every change and at `next_due`; it does nothing and remembers nothing. What
it leaves open (a failed attempt, a question, a refusal) it decides again from the rows it is given.
"""

from collections.abc import Iterable, Mapping

from cloud_bridge.plan.admission import Calendar, Claim, Size
from cloud_bridge.plan.begin import Desk, begin, size_of
from cloud_bridge.plan.keep import keep, wanted_until
from cloud_bridge.plan.lead import lead_of
from cloud_bridge.plan.needs import Need, needs_of
from cloud_bridge.plan.verdict import standings
from cloud_bridge.types import Capacity, Forget, Machine, Plan, Records, Template, Wanted
from edge.contracts.base import Now


def plan(
    wanted: Wanted,
    machines: Iterable[Machine],
    records: Records,
    templates: Mapping[str, Template],
    capacity: Capacity,
    now: Now,
) -> Plan:
    """Return the actions due at `now`, how every machine stands, and the next instant to ask.

    At most one machine a key; none past lease and grace; none touched that is not ours; memory
    never above `capacity`. Without a trusted clock nothing is created or deleted.
    """
    needs = needs_of(wanted.rows)
    ours = {machine.key: machine for machine in machines if machine.ours}
    tried = {attempt.key: attempt for attempt in records.attempts}
    approvals = {approval.key: approval for approval in records.approvals}
    leads = {
        name: lead_of(records.boots.get(name, ()), template.lead_s)
        for name, template in templates.items()
    }
    pools = {pool.template: pool for pool in records.pools}
    desk = Desk(templates, leads, tried, approvals, records.heard, pools, capacity, now)
    calendar = Calendar(capacity, capacity.per_owner)
    for machine in ours.values():
        calendar.take(_held(machine, needs.get(machine.key), templates, now))
    missing = [need for need in needs.values() if need.key not in ours]
    verdicts = begin(missing, list(ours.values()), calendar, desk)
    for machine in ours.values():
        need = needs.get(machine.key)
        end = _granted(machine, wanted_until(machine, need, wanted.rooms), calendar, templates)
        approval = approvals.get(machine.key)
        verdicts[machine.key] = keep(machine, need, end, wanted.rooms, approval, templates, now)
    ordered = [verdicts[key] for key in [*ours, *(key for key in verdicts if key not in ours)]]
    actions = [verdict.action for verdict in ordered if verdict.action is not None]
    actions += [Forget(key) for key in tried if key not in needs and key not in ours]
    due = min((verdict.due for verdict in verdicts.values()), default=float("inf"))
    return Plan(tuple(actions), tuple(standings(wanted, needs, ours, verdicts)), due)


def _size(machine: Machine, templates: Mapping[str, Template]) -> Size:
    template = templates.get(machine.template)
    return Size(machine.memory_mib) if template is None else size_of(template)


def _held(
    machine: Machine, need: Need | None, templates: Mapping[str, Template], now: Now
) -> Claim:
    """Return what a machine has for certain: until its lease and grace are over, or longer."""
    end = max(machine.until + machine.grace_s, now.wall)
    owner = "" if need is None else need.first.owner
    return Claim(machine.key, now.wall, end, _size(machine, templates), owner)


def _granted(
    machine: Machine, end: float, calendar: Calendar, templates: Mapping[str, Template]
) -> float:
    """Return until when a lease may run: an extension does not take what others were promised."""
    if end <= machine.until:
        return end
    grace = machine.grace_s
    more = Claim(machine.key, machine.until + grace, end + grace, _size(machine, templates))
    granted = calendar.fits_until(more)
    calendar.take(Claim(more.key, more.begin, granted, more.size))
    return max(machine.until, granted - grace)
