"""The health of one source or driver, told only when it changes."""

import threading
from collections.abc import Callable

from edge.contracts.signals import Health, Signal, SourceChanged

WELL: tuple[Health, str] = ("ok", "")


class HealthReporter:
    """Posts SourceChanged for `name` when health or reason changes; from any thread.

    `errors` of the signal counts the calls of degraded and lost since the start.
    """

    def __init__(self, name: str, post: Callable[[Signal], None]) -> None:
        self._name = name
        self._post = post
        self._lock = threading.Lock()
        self._last: tuple[Health, str] | None = None
        self._errors = 0

    @property
    def health(self) -> Health | None:
        """What was told last, None before anything was."""
        return self._last[0] if self._last else None

    def ok(self) -> None:
        """It works."""
        if self._last != WELL:  # said at every message of every device
            self._tell(*WELL)

    def degraded(self, reason: str) -> None:
        """It works in part."""
        self._tell("degraded", reason)

    def lost(self, reason: str) -> None:
        """It does not work."""
        self._tell("lost", reason)

    def _tell(self, health: Health, reason: str) -> None:
        with self._lock:
            self._errors += health != "ok"
            if self._last == (health, reason):
                return
            self._last = health, reason
            self._post(SourceChanged(self._name, health, reason, self._errors))
