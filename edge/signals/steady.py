"""The clock that decisions are made by: a jump of wall time counts once it is more than a slip."""

import threading
import time
from collections.abc import Callable

from edge.contracts.base import Now
from edge.signals.clock import JUMP_S, kernel_synchronised

HOLD_S = 60.0
"""A jump that nobody confirms is believed when it has lasted this long."""


def system_clock() -> Now:
    """Return this instant of the host's clocks; whether it is right, a signal says."""
    return Now(time.time(), time.monotonic(), True)


SAME_S = 0.001
"""Wall time and the monotonic clock have not parted when they are no further apart than this."""


class SteadyClock:
    """Returns `clock`'s time, without a jump until network time confirms it or it has lasted.

    Until then wall time goes on from where it was, so that nothing ends, begins or lapses by it.
    May be called from any thread.
    """

    def __init__(
        self,
        clock: Callable[[], Now],
        confirmed: Callable[[], bool] = kernel_synchronised,
        hold_s: float = HOLD_S,
    ) -> None:
        self._clock = clock
        self._confirmed = confirmed
        self._hold = hold_s
        self._lock = threading.Lock()
        now = clock()
        self._offset = now.wall - now.mono
        self._jumped: tuple[float, float] | None = None
        """What the offset became, and the monotonic instant at which that was seen."""

    def __call__(self) -> Now:
        """Return this instant."""
        now = self._clock()
        # Asked at every edge, so without the lock; so little apart is kept only once it is more.
        if self._jumped is None and -SAME_S < now.wall - now.mono - self._offset < SAME_S:
            return now
        with self._lock:
            now = self._clock()
            offset = now.wall - now.mono
            if abs(offset - self._offset) < JUMP_S or self._believed(offset, now.mono):
                self._offset, self._jumped = offset, None
                return now
            return Now(now.mono + self._offset, now.mono, now.trusted)

    def _believed(self, offset: float, mono: float) -> bool:
        if self._jumped is None or abs(offset - self._jumped[0]) >= JUMP_S:
            self._jumped = offset, mono
        return self._confirmed() or mono - self._jumped[1] >= self._hold
