"""A thread that listens to a sound system and tells of changes once the hand is still."""

import threading
import time
from collections.abc import Callable

from edge.actuators.errors import ActuatorError

QUIET_S = 0.3
LISTEN_S = 0.1


class Watcher:
    """Calls `changed` when nothing more has happened for QUIET_S after something did.

    `listen(seconds)` returns whether anything happened; it ends the thread with an ActuatorError.
    """

    def __init__(self, listen: Callable[[float], bool], changed: Callable[[], None]) -> None:
        self._listen = listen
        self._changed = changed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="driver:mixer:watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread no longer touches what it listens to, or after 0.5 s."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(0.5)

    @property
    def ended(self) -> bool:
        """Whether it touches nothing any more."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        at: float | None = None
        while not self._stop.is_set():
            try:
                happened = self._listen(LISTEN_S)
            except ActuatorError:
                happened = True
                self._stop.set()
            if happened:
                at = time.monotonic()
            if at is not None and (self._stop.is_set() or time.monotonic() - at >= QUIET_S):
                at = None
                self._changed()
