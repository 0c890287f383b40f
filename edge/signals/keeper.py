"""Keeps one capture device open: opens it again when it is lost, closes it when not allowed."""

import time
from collections.abc import Callable

import structlog

from edge.contracts.signals import Signal
from edge.process.backoff import Backoff
from edge.process.worker import Worker
from edge.signals.health import HealthReporter

log = structlog.get_logger()

STABLE_S = 10.0
"""A device that worked this long is tried again at once; one that flaps is tried ever later."""
OFF = "switched off: no consent"


class SourceError(Exception):
    """A device that cannot be opened or went away; the text says which and what to do."""


class Keeper(Worker):
    """Runs `session` in a thread, again and again, until stopped.

    `session` opens the device, works while `wanted()` holds, closes it and returns; it raises
    SourceError when the device is lost. The thread is a daemon: a driver's call that hangs cannot
    be interrupted, and the kernel closes the device with the process.
    """

    def __init__(
        self,
        name: str,
        post: Callable[[Signal], None],
        session: Callable[[], None],
        backoff: Backoff | None = None,
    ) -> None:
        super().__init__(name)
        self._name = name
        self._session = session
        self._backoff = backoff or Backoff()
        self.health = HealthReporter(name, post)
        self._enabled = True

    def enabled(self, on: bool) -> None:
        """Allow the device to be open, or have it closed; returns at once."""
        if on != self._enabled:
            self._enabled = on
            self._wake.set()

    def wanted(self) -> bool:
        """Whether the device should be open."""
        return self._enabled and not self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait so long, less when the device is to be closed; return `wanted()`."""
        if seconds > 0 and self.wanted() and self._wake.wait(seconds):
            self._wake.clear()
        return self.wanted()

    def _run(self) -> None:
        while not self._stop.is_set():
            # Cleared before the wish is read: a change in between sets it again.
            self._wake.clear()
            if not self._enabled:
                self.health.degraded(OFF)
                self._wake.wait()
            elif self.wanted():
                self._attempt()

    def _attempt(self) -> None:
        began = time.monotonic()
        try:
            self._session()
        except SourceError as error:
            reason = str(error)
        except Exception as error:
            log.exception("source failed", source=self._name)
            reason = f"internal error {type(error).__name__}: see the log"
        else:
            return
        if not self.wanted():
            return
        if self.health.health != "lost":
            log.warning("source lost", source=self._name, reason=reason)
        self.health.lost(reason)
        if time.monotonic() - began > STABLE_S:
            self._backoff.reset()
        self.wait(self._backoff.next())
