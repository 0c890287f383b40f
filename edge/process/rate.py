"""How much of something is let through: a bound on what a flooding sender can cause."""

import time
from collections.abc import Callable


class RateLimit:
    """Lets `burst` through at once and `per_s` a second after that; not for several threads."""

    def __init__(
        self, per_s: float, burst: float, mono: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_s
        self._burst = burst
        self._mono = mono
        self._left = burst
        self._at = mono()

    def allow(self) -> bool:
        """Whether one more may pass now."""
        now = self._mono()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
