"""What the room lately decided, kept in memory for the panel's "why?"."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.contracts.base import Now
from edge.contracts.decision import Decision

KEPT = 500


@dataclass(frozen=True, slots=True)
class Past:
    """A decision and the wall instant (seconds) at which it was made."""

    wall: float
    decision: Decision


History = Callable[[int], Sequence[Past]]
"""Return up to that many decisions, newest first."""


class Recent:
    """The last decisions. `keep` is called by the loop, `last` by panel threads."""

    def __init__(self, now: Callable[[], Now], size: int = KEPT) -> None:
        self._now = now
        self._kept: deque[Past] = deque(maxlen=size)
        self._lock = threading.Lock()

    def keep(self, decision: Decision | None, wall: float | None = None) -> None:
        """Add a decision of this instant, or of `wall` when it is read back from a journal."""
        if decision is None:
            return
        at = self._now().wall if wall is None else wall
        with self._lock:
            self._kept.append(Past(at, decision))

    def last(self, count: int) -> Sequence[Past]:
        """Return up to `count` decisions, newest first."""
        with self._lock:
            kept = list(self._kept)
        return kept[::-1][:count]
