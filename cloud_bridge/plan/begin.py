"""What becomes of a wanted key without a machine: approved, admitted, queued, begun. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cloud_bridge.plan.admission import Calendar, Claim, Size, smaller
from cloud_bridge.plan.attempts import MAX_ATTEMPTS, RETRY_CAP_S
from cloud_bridge.plan.lead import Boot, Lead, begins
from cloud_bridge.plan.needs import Need
from cloud_bridge.plan.pools import Sick
from cloud_bridge.plan.verdict import Verdict
from cloud_bridge.types import (
    Approval,
    Ask,
    Attempt,
    Capacity,
    Create,
    GiveUp,
    Lapse,
    Machine,
    Pool,
    Template,
)
from edge.contracts.base import Now

WINDOW_S = 36 * 3600.0
"""As far as rooms look ahead: no later slot is offered."""
COST_SLACK = 0.005
"""Less than anybody is asked about anew."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that is known when a machine is to be begun."""

    templates: Mapping[str, Template]
    leads: Mapping[str, Lead]
    tried: Mapping[str, Attempt]
    approvals: Mapping[str, Approval]
    heard: Mapping[str, float]
    pools: Mapping[str, Pool]
    capacity: Capacity
    now: Now


def size_of(template: Template) -> Size:
    """Return what a machine of a template takes from the host."""
    return Size(template.memory_mib, template.vcpus, template.gpus)


def begin(
    missing: list[Need], machines: list[Machine], calendar: Calendar, desk: Desk
) -> dict[str, Verdict]:
    """Decide about keys without a machine; what is admitted is promised in `calendar`."""
    verdicts: dict[str, Verdict] = {}
    admitted: list[Need] = []
    first = sorted(missing, key=lambda need: (desk.heard.get(need.key, 0.0), need.start, need.key))
    for need in first:
        verdict = _hopeless(need, desk) or _crowded_out(need, calendar, desk)
        if verdict is not None:
            verdicts[need.key] = verdict
        else:
            admitted.append(need)
    queued = begins((_boot(need, desk) for need in admitted), desk.capacity.boots)
    latest = {n.key: min(queued[n.key], n.start - n.lead_s) for n in admitted}
    free = desk.capacity.memory_mib - sum(machine.memory_mib for machine in machines)
    starting = Counter(m.template for m in machines if m.phase in ("creating", "booting"))
    slots = desk.capacity.boots - starting.total()
    sick = Sick(desk.pools, starting, desk.capacity.boots, desk.now)
    ordered = sorted(admitted, key=lambda n: (sick.ill(n.first.template), n.start, n.key))
    for need in ordered:
        template = desk.templates[need.first.template]
        verdict = _unapproved(need, latest[need.key], desk) or _early(need, latest, desk)
        verdict = verdict or sick.held(template.name, slots)
        verdict = verdict or _now(need, template, free, slots, desk.now)
        if isinstance(verdict.action, Create):
            free, slots = free - template.memory_mib, slots - 1
            sick.begun(template.name)
        verdicts[need.key] = verdict
    return verdicts


def _hopeless(need: Need, desk: Desk) -> Verdict | None:
    """Return why there will be no machine however long one waits, None when there may be."""
    name = need.first.template
    if name not in desk.templates:
        known = ", ".join(sorted(desk.templates)) or "none"
        return Verdict("refused", f"no template {name!r}; known: {known}")
    if desk.now.wall >= need.end:
        return Verdict("gone", "the meeting is over")
    approval = desk.approvals.get(need.key)
    if approval is not None and approval.state == "denied":
        return Verdict("refused", f"denied by {approval.who}: {approval.reason}")
    tried = desk.tried.get(need.key)
    if tried is not None and tried.given_up:
        return Verdict("failed", tried.reason)
    if tried is not None and tried.attempts >= MAX_ATTEMPTS:
        reason = f"given up after {tried.attempts} attempts: {tried.reason}"
        return Verdict("failed", reason, GiveUp(need.key, reason))
    return None


def _crowded_out(need: Need, calendar: Calendar, desk: Desk) -> Verdict | None:
    """Promise room on the host; return what is offered instead when there is none."""
    template = desk.templates[need.first.template]
    lead = desk.leads[template.name]
    ahead = max(lead.boot_s + lead.margin_s, need.lead_s)
    start = max(desk.now.wall, need.start - ahead)
    claim = Claim(need.key, start, need.end + template.grace_s, size_of(template), need.first.owner)
    lacking = calendar.lacks(claim)
    if not lacking:
        calendar.take(claim)
        return None
    later = calendar.next_start(claim, desk.now.wall + WINDOW_S)
    offer = smaller(((t.name, size_of(t)) for t in desk.templates.values()), claim, calendar)
    return Verdict(
        "refused",
        lacking,
        next_start=later + (need.start - start) if later else 0.0,
        smaller=offer,
    )


def _boot(need: Need, desk: Desk) -> Boot:
    lead = desk.leads[need.first.template]
    return Boot(need.key, need.start - lead.margin_s, lead.boot_s)


def cost_of(need: Need, template: Template) -> float:
    """Return what a machine costs for the whole time it is wanted."""
    return template.cost_per_hour * (need.end - need.start) / 3600.0


def _unapproved(need: Need, latest: float, desk: Desk) -> Verdict | None:
    """Return the question to a person and that it is waited for; None when there is no need."""
    template = desk.templates[need.first.template]
    cost = cost_of(need, template)
    approval = desk.approvals.get(need.key)
    if cost < template.approve_above:
        return None
    if approval is None or not _covers(approval, template, cost):
        first = need.first
        # What is asked late is given a little time all the same.
        deadline = max(latest, min(desk.now.wall + 120.0, need.end))
        ask = Ask(need.key, deadline, first.meeting, template.name, cost)
        return Verdict("wanted", "waits for a person's yes", ask)
    if approval.state == "granted":
        return None
    if approval.state == "asked" and desk.now.wall >= approval.deadline:
        return Verdict("refused", "nobody said yes in time", Lapse(need.key))
    if approval.state == "lapsed":
        return Verdict("refused", "nobody said yes in time")
    return Verdict("wanted", "waits for a person's yes", due=approval.deadline)


def _covers(approval: Approval, template: Template, cost: float) -> bool:
    """Whether it was asked about this template at this cost or a higher one."""
    return approval.template == template.name and cost <= approval.cost + COST_SLACK


def _early(need: Need, latest: Mapping[str, float], desk: Desk) -> Verdict | None:
    """Return that its time has not come, None when it has."""
    now, tried = desk.now, desk.tried.get(need.key)
    if now.wall < latest[need.key]:
        return Verdict("wanted", due=latest[need.key])
    # No wait is longer than the cap: one that seems to be began before the clock was set back.
    if tried is not None and now.wall < tried.not_before <= now.wall + RETRY_CAP_S:
        return Verdict("wanted", f"tried again soon: {tried.reason}", due=tried.not_before)
    return None


def _now(need: Need, template: Template, free: int, slots: int, now: Now) -> Verdict:
    if template.memory_mib > free:
        return Verdict("wanted", "waits until a machine that is ending has gone")
    if slots <= 0:
        return Verdict("wanted", "waits until another machine has started")
    if not now.trusted:
        return Verdict("wanted", "waits for a trusted clock")
    first = need.first
    action = Create(need.key, first.meeting, need.rooms, template, need.end, first.title)
    return Verdict("creating", action=action)
