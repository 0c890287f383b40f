"""How long before a meeting its machine is begun: from measured boots and the queue ahead. Pure."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MARGIN_S = 30.0
"""A machine is to be ready so long before its meeting."""
ENOUGH = 100
"""So many measured boots tell their 99th percentile; of fewer the slowest is taken, and more."""
FEW = 5
SPARE = 1.25


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot that is to end at `deadline` (wall seconds) and takes `seconds`."""

    key: str
    deadline: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Lead:
    """How long a template's boot takes at worst, and what is left to the meeting then, s."""

    boot_s: float
    margin_s: float


def lead_of(measured: Sequence[float], first_guess: float) -> Lead:
    """Return the time within which 99 of 100 boots answer; `first_guess` until a few ran.

    measured: seconds from the request to the answer, or to giving up on one.
    """
    if len(measured) < FEW:
        slowest = max(measured, default=0.0)
        return Lead(max(first_guess, SPARE * slowest + MARGIN_S), 0.0)
    ordered = sorted(measured)
    if len(ordered) < ENOUGH:
        return Lead(SPARE * ordered[-1], MARGIN_S)
    return Lead(ordered[len(ordered) * 99 // 100], MARGIN_S)


def begins(boots: Iterable[Boot], slots: int) -> dict[str, float]:
    """Return the latest instant to begin each boot so that all end in time, `slots` at once.

    From the last deadline backwards: each boot ends at its deadline, or when the boot that
    follows it on its slot begins.
    """
    # Negated, as the latest free slot is wanted and a heap gives the least.
    free = [float("-inf")] * max(1, slots)
    latest: dict[str, float] = {}
    for boot in sorted(boots, key=lambda each: (-each.deadline, each.key)):
        end = min(boot.deadline, -free[0])
        latest[boot.key] = end - boot.seconds
        heapq.heapreplace(free, -latest[boot.key])
    return latest
