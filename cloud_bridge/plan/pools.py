"""What failures of one template mean for all machines of it, and for nobody else. Pure."""

from collections.abc import Mapping

from cloud_bridge.plan.attempts import RETRY_CAP_S, RETRY_FIRST_S, spread
from cloud_bridge.plan.verdict import Verdict
from cloud_bridge.types import Pool
from edge.contracts.base import Now

TRIES = 3
"""So many failures in a row, and the whole template waits."""


def pool_failed(before: Pool | None, template: str, reason: str, now: Now) -> Pool:
    """Return the row after one more failure in a row: from the third on the wait doubles."""
    failures = 1 if before is None else before.failures + 1
    if failures < TRIES:
        return Pool(template, failures, now.wall, reason)
    wait = min(RETRY_CAP_S, RETRY_FIRST_S * 2.0 ** min(failures - TRIES, 16))
    return Pool(template, failures, now.wall + wait * spread(template), reason)


class Sick:
    """The templates whose last machine failed: one attempt at a time, behind everybody else's."""

    def __init__(
        self, pools: Mapping[str, Pool], starting: Mapping[str, int], boots: int, now: Now
    ) -> None:
        """`starting`: template -> machines of it that start now; `boots`: at once on the host."""
        self._pools = pools
        self._starting = dict(starting)
        self._boots = boots
        self._now = now

    def ill(self, template: str) -> bool:
        """Return whether its last machine failed."""
        return template in self._pools

    def begun(self, template: str) -> None:
        """Note that another machine of it starts now."""
        self._starting[template] = self._starting.get(template, 0) + 1

    def held(self, template: str, slots: int) -> Verdict | None:
        """Return why none of the template is begun now; None when one may be. slots: free ones."""
        pool = self._pools.get(template)
        if pool is None:
            return None
        told = f"{template} failed last: {pool.reason}"
        if self._now.wall < pool.not_before <= self._now.wall + RETRY_CAP_S:
            return Verdict("wanted", f"tried again soon: {told}", due=pool.not_before)
        if self._starting.get(template):
            return Verdict("wanted", f"waits until one is seen to start: {told}")
        if slots <= 1 < self._boots:
            return Verdict("wanted", f"the last free start is kept for others: {told}")
        return None
