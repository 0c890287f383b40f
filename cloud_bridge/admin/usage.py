"""What a machine uses, costs so far, and whether it idles with nobody there. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from cloud_bridge.admin.facts import Facts
from cloud_bridge.admin.say import NONE, Say
from cloud_bridge.types import Usage

IDLE_S = 600.0
FRESH_S = 60.0
KIB = 1024.0


@dataclass(frozen=True, slots=True)
class UsageView:
    """Figures in words; cost: so far; idle: for how long, "" while it works or people are there."""

    cpu: str = NONE
    memory: str = NONE
    network: str = NONE
    cost: str = NONE
    idle: str = ""
    cost_per_hour: float = 0.0
    idle_since: float = 0.0


def usage_of(key: str, rooms: Iterable[str], facts: Facts, say: Say) -> UsageView:
    """Return what is known of a machine. rooms: for whom it runs."""
    one = next((usage for usage in facts.usage if usage.key == key), None)
    if one is None:
        return UsageView()
    fresh = say.now - one.at <= FRESH_S
    return UsageView(
        cpu=f"{one.cpu:.0%}" if fresh and one.cpu >= 0 else NONE,
        memory=f"{one.memory_mib} MiB" if fresh and one.memory_mib else NONE,
        network=_bytes(one.network) if fresh and one.network >= 0 else NONE,
        cost=f"{cost_so_far(one, say.now):.2f}",
        idle=say.lasts(say.now - one.idle_since, "") if _idle(one, rooms, facts, say) else "",
        cost_per_hour=one.cost_per_hour,
        idle_since=one.idle_since,
    )


def cost_so_far(usage: Usage, now: float) -> float:
    """Return what the machine has cost since it was begun."""
    return usage.cost_per_hour * max(0.0, now - usage.created) / 3600.0


def _idle(usage: Usage, rooms: Iterable[str], facts: Facts, say: Say) -> bool:
    """Whether it did nothing for long, and every room it is for says that nobody is there."""
    lives = {live.room: live for live in facts.live}
    long = usage.idle_since > 0 and say.now - usage.idle_since >= IDLE_S
    empty = all(room in lives and not lives[room].occupied for room in rooms)
    return long and empty and say.now - usage.at <= FRESH_S


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < KIB:
            return f"{count:.0f} {unit}"
        count /= KIB
    return f"{count:.1f} GiB"
