"""The service's clock, distrusted for a while after it jumped."""

import time
from collections.abc import Callable

from edge.contracts.base import Now

EARLIEST = 1_700_000_000.0
"""A clock before November 2023 was never set."""
JUMP_S, SETTLE_S = 2.0, 30.0


class Clock:
    """`now` is untrusted for `SETTLE_S` after the wall clock moved against the monotonic one."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._mono = wall, mono
        self._offset = wall() - mono()
        self._trusted_at = float("-inf")

    def now(self) -> Now:
        """Return this instant."""
        wall, mono = self._wall(), self._mono()
        offset = wall - mono
        if abs(offset - self._offset) > JUMP_S:
            self._trusted_at = mono + SETTLE_S
        self._offset = offset
        return Now(wall, mono, wall > EARLIEST and mono >= self._trusted_at)
