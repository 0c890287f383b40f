"""What to do about the machines, decided from what is wanted and what exists. Pure.

`plan` is called on every change and at `next_due`; it does nothing and remembers nothing. What
it leaves open (a failed attempt, a refusal) it decides again from the rows it is given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cloud_bridge.types import (
    Action,
    Attempt,
    Capacity,
    Create,
    Delete,
    Forget,
    GiveUp,
    Machine,
    Plan,
    Renew,
    Standing,
    Template,
    Wanted,
)
from edge.contracts.base import Now
from edge.contracts.wire import MachinePhase, WantedMachine

MAX_ATTEMPTS = 5
RETRY_FIRST_S, RETRY_CAP_S = 2.0, 300.0
LEASE_SLACK_S = 0.5
"""A lease this close to what is wanted is left alone."""

UNKNOWN_TEMPLATE = Template("", 0)


@dataclass(frozen=True, slots=True)
class _Need:
    """What all rooms together want of one machine."""

    key: str
    first: WantedMachine
    rooms: tuple[str, ...]
    start: float
    end: float
    lead_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What becomes of one key: an action or none, and how it stands after it."""

    phase: MachinePhase
    detail: str = ""
    action: Action | None = None
    due: float = float("inf")


def plan(
    wanted: Wanted,
    machines: Iterable[Machine],
    attempts: Iterable[Attempt],
    templates: Mapping[str, Template],
    capacity: Capacity,
    now: Now,
) -> Plan:
    """Return the actions due at `now`, how every machine stands, and the next instant to ask.

    At most one machine a key; none past lease and grace; none touched that is not ours; memory
    never above `capacity`. Without a trusted clock nothing is created or deleted.
    """
    needs = _needs(wanted.rows)
    ours = {machine.key: machine for machine in machines if machine.ours}
    tried = {attempt.key: attempt for attempt in attempts}
    verdicts = {
        machine.key: _keep(machine, needs.get(machine.key), wanted.rooms, templates, now)
        for machine in ours.values()
    }
    missing = [need for need in needs.values() if need.key not in ours]
    verdicts.update(_admit(missing, ours.values(), tried, templates, capacity, now))
    actions = [verdict.action for verdict in verdicts.values() if verdict.action is not None]
    actions += [Forget(key) for key in tried if key not in needs and key not in ours]
    due = min((verdict.due for verdict in verdicts.values()), default=float("inf"))
    return Plan(tuple(actions), tuple(_standings(wanted, needs, ours, verdicts)), due)


def failed(before: Attempt | None, key: str, reason: str, now: Now) -> Attempt:
    """Return the row after one more failure: its wait doubles, spread by the key, up to 5 min."""
    attempts = 1 if before is None else before.attempts + 1
    base = min(RETRY_CAP_S, RETRY_FIRST_S * 2.0 ** min(attempts - 1, 16))
    # Spread without chance: keys that fail together do not come back together.
    spread = sum(key.encode()) % 32 / 64
    return Attempt(key, attempts, now.wall + base * (1 - spread), reason=reason)


def _needs(rows: Iterable[tuple[str, WantedMachine]]) -> dict[str, _Need]:
    needs: dict[str, _Need] = {}
    for room, row in sorted(rows, key=lambda item: (item[1].start, item[0])):
        known = needs.get(row.key)
        if known is None:
            needs[row.key] = _Need(row.key, row, (room,), row.start, row.end, row.lead_s)
        else:
            rooms = known.rooms if room in known.rooms else (*known.rooms, room)
            end, lead_s = max(known.end, row.end), max(known.lead_s, row.lead_s)
            needs[row.key] = replace(known, rooms=rooms, end=end, lead_s=lead_s)
    return needs


def _keep(  # noqa: PLR0911 (one return for each of its cases)
    machine: Machine,
    need: _Need | None,
    heard: frozenset[str],
    templates: Mapping[str, Template],
    now: Now,
) -> _Verdict:
    """Decide about a machine that exists."""
    if machine.phase in ("creating", "ending"):
        return _Verdict("creating" if machine.phase == "creating" else "ending", machine.detail)
    silent = any(room not in heard for room in machine.rooms)
    if need is None and not silent:
        return _ending(Delete(machine.key, "no meeting wants it any more"), now)
    # A room not heard of since the store is new may still be using it: the lease speaks for it.
    end = machine.until if need is None else need.end
    end = max(end, machine.until) if silent else end
    over = end + machine.grace_s
    boot_s = templates.get(machine.template, UNKNOWN_TEMPLATE).boot_s
    answer_by = machine.created + boot_s if machine.phase == "booting" else float("inf")
    if now.wall >= over:
        return _ending(Delete(machine.key, "its lease and grace are over"), now)
    if machine.phase == "dead":
        return _ending(Delete(machine.key, machine.detail or "it ended by itself", True), now)
    if now.wall >= answer_by:
        return _ending(Delete(machine.key, f"no answer within {boot_s:g} s", True), now)
    if need is not None and _replaced(machine, need, templates, now):
        return _ending(Delete(machine.key, f"{need.first.template} is wanted instead"), now)
    late = abs(machine.until - end) > LEASE_SLACK_S
    renew = Renew(machine.key, end) if late else None
    phase: MachinePhase = "booting" if machine.phase == "booting" else "ready"
    return _Verdict(phase, machine.detail, renew, min(over, answer_by))


def _ending(delete: Delete, now: Now) -> _Verdict:
    if not now.trusted:
        return _Verdict("ending", f"{delete.reason}; waits for a trusted clock")
    return _Verdict("failed" if delete.failed else "ending", delete.reason, delete)


def _replaced(machine: Machine, need: _Need, templates: Mapping[str, Template], now: Now) -> bool:
    """Before its meeting begins a machine of the wrong template is made anew; after, it stays."""
    name = need.first.template
    return name != machine.template and name in templates and now.wall < need.start


def _admit(
    missing: list[_Need],
    machines: Iterable[Machine],
    tried: Mapping[str, Attempt],
    templates: Mapping[str, Template],
    capacity: Capacity,
    now: Now,
) -> dict[str, _Verdict]:
    """Decide about keys without a machine, the earliest start first."""
    held = list(machines)
    free = capacity.memory_mib - sum(machine.memory_mib for machine in held)
    slots = capacity.boots - sum(machine.phase in ("creating", "booting") for machine in held)
    verdicts: dict[str, _Verdict] = {}
    for need in sorted(missing, key=lambda need: (need.start, need.key)):
        template = templates.get(need.first.template)
        if template is None:
            known = ", ".join(sorted(templates)) or "none"
            detail = f"no template {need.first.template!r}; known: {known}"
            verdicts[need.key] = _Verdict("refused", detail)
            continue
        verdict = _due(need, template, tried.get(need.key), now)
        if verdict is None:
            verdict = _fits(need, template, free, slots, capacity, now)
            if isinstance(verdict.action, Create):
                free, slots = free - template.memory_mib, slots - 1
        verdicts[need.key] = verdict
    return verdicts


def _due(need: _Need, template: Template, tried: Attempt | None, now: Now) -> _Verdict | None:
    """Return why a machine is not begun now, or None when its time has come."""
    if now.wall >= need.end:
        return _Verdict("gone", "the meeting is over")
    if tried is not None and tried.given_up:
        return _Verdict("failed", tried.reason)
    if tried is not None and tried.attempts >= MAX_ATTEMPTS:
        reason = f"given up after {tried.attempts} attempts: {tried.reason}"
        return _Verdict("failed", reason, GiveUp(need.key, reason))
    begin = need.start - max(template.lead_s, need.lead_s)
    if now.wall < begin:
        return _Verdict("wanted", due=begin)
    if tried is not None and now.wall < tried.not_before:
        return _Verdict("wanted", f"tried again soon: {tried.reason}", due=tried.not_before)
    return None


def _fits(
    need: _Need, template: Template, free: int, slots: int, capacity: Capacity, now: Now
) -> _Verdict:
    if template.memory_mib > free:
        detail = f"needs {template.memory_mib} MiB, {free} of {capacity.memory_mib} MiB are free"
        return _Verdict("refused", detail)
    if slots <= 0:
        return _Verdict("wanted", "waits until another machine has started")
    if not now.trusted:
        return _Verdict("wanted", "waits for a trusted clock")
    first = need.first
    action = Create(need.key, first.meeting, need.rooms, template, need.end, first.title)
    return _Verdict("creating", action=action)


def _standings(
    wanted: Wanted,
    needs: Mapping[str, _Need],
    ours: Mapping[str, Machine],
    verdicts: Mapping[str, _Verdict],
) -> Iterable[Standing]:
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
    verdict: _Verdict,
) -> Standing:
    address = machine.address if machine is not None and verdict.phase == "ready" else ""
    return Standing(room, key, meeting, template, verdict.phase, until, address, verdict.detail)
