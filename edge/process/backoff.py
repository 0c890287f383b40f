"""How long to wait before the next attempt at something that failed."""

import random


class Backoff:
    """Delays that double up to a cap, each shortened by chance to between half and all of it."""

    def __init__(
        self,
        first: float = 0.5,
        cap: float = 30.0,
        rng: random.Random | None = None,
    ) -> None:
        if not 0 < first <= cap:
            raise ValueError(f"first is {first}, cap is {cap}: needs 0 < first <= cap")
        self._first = first
        self._cap = cap
        # Chance spreads reconnecting rooms; nothing secret depends on it.
        self._rng = rng or random.Random()  # noqa: S311
        self._base = first

    def next(self) -> float:
        """Return the seconds to wait before the next attempt, in [base / 2, base]."""
        base = self._base
        self._base = min(self._cap, base * 2)
        return base * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start again at the first delay: the attempt succeeded."""
        self._base = self._first
