"""The arbiter: who holds an actuator now, by priority, then by who asked last. Pure."""

import math
from collections.abc import Iterable

from edge.contracts.commands import PRIORITIES, Proposal

Holdings = dict[str, Proposal]
"""One lease per (actuator, source), keyed `actuator|source`."""

_RANK = {priority: rank for rank, priority in enumerate(PRIORITIES)}


def hold(holdings: Holdings, proposals: Iterable[Proposal]) -> Holdings:
    """Return the holdings with these leases taken or renewed; a source's latest wish counts."""
    after = dict(holdings)
    for proposal in proposals:
        key = lease_key(proposal)
        after.pop(key, None)  # moves it to the end: the order is the order of asking
        after[key] = proposal
    return after


def drop(holdings: Holdings, actuator: str, source: str) -> Holdings:
    """Return the holdings without this lease."""
    key = f"{actuator}|{source}"
    return {k: v for k, v in holdings.items() if k != key}


def expire(holdings: Holdings, mono: float) -> Holdings:
    """Return the leases that still run; the same object when all do."""
    if all(proposal.until > mono for proposal in holdings.values()):
        return holdings
    return {key: proposal for key, proposal in holdings.items() if proposal.until > mono}


def winners(holdings: Holdings) -> dict[str, Proposal]:
    """Return the winning proposal of every actuator that anybody holds."""
    best: dict[str, Proposal] = {}
    for proposal in holdings.values():
        rival = best.get(proposal.actuator)
        if rival is None or _RANK[proposal.priority] <= _RANK[rival.priority]:
            best[proposal.actuator] = proposal
    return best


def next_due(holdings: Holdings) -> float:
    """Return the monotonic instant at which the next lease lapses."""
    return min((proposal.until for proposal in holdings.values()), default=math.inf)


def lease_key(proposal: Proposal) -> str:
    """Return the key of the lease this proposal takes."""
    return f"{proposal.actuator}|{proposal.source}"
