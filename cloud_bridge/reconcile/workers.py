"""A few threads that carry out actions, one at a time for each key."""

import queue
import threading
import time
from collections.abc import Callable

import structlog
from prometheus_client import Counter, Histogram

from cloud_bridge.types import Action, Create, Delete
from edge.process.backoff import Backoff

log = structlog.get_logger()

ACTIONS = Counter(
    "roomkeeper_reconcile_actions", "Actions, by kind and outcome.", ["kind", "outcome"]
)
ACTION_TIME = Histogram("roomkeeper_reconcile_action_seconds", "Time of an action.", ["kind"])

Do = Callable[[Action], None]


class Workers:
    """Runs `do(action)` on `count` threads; an action that raised waits before its next turn."""

    def __init__(self, count: int, do: Do, on_done: Callable[[], None]) -> None:
        self._do = do
        self._on_done = on_done
        self._queue: queue.Queue[Action | None] = queue.Queue()
        self._busy: dict[str, Action] = {}
        self._pauses: dict[str, tuple[float, Backoff]] = {}
        self._lock = threading.Lock()
        # A call into a hypervisor cannot be interrupted, so it must not hold up the process's end:
        # what was begun is found again after the next start.
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True)
            for number in range(count)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 0.8) -> None:
        """End after the actions under way, or without them after `seconds`."""
        for _ in self._threads:
            self._queue.put(None)
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def busy(self) -> dict[str, Action]:
        """Return what is queued or under way, by key."""
        with self._lock:
            return dict(self._busy)

    def give(self, action: Action) -> bool:
        """Queue the action; False when its key is busy or waits after a failure."""
        with self._lock:
            until, _ = self._pauses.get(action.key, (0.0, None))
            if action.key in self._busy or time.monotonic() < until:
                return False
            self._busy[action.key] = action
        self._queue.put(action)
        return True

    def _run(self) -> None:
        while (action := self._queue.get()) is not None:
            outcome = "done"
            try:
                with ACTION_TIME.labels(_kind(action)).time():
                    self._do(action)
            except Exception as error:
                outcome = "failed"
                log.exception("action failed", action=_kind(action), key=action.key)
                self._pause(action.key, error)
            else:
                self._settle(action.key)
            ACTIONS.labels(_kind(action), outcome).inc()
            with self._lock:
                del self._busy[action.key]
            self._on_done()

    def _pause(self, key: str, _error: Exception) -> None:
        with self._lock:
            _, backoff = self._pauses.get(key, (0.0, None))
            backoff = backoff or Backoff(first=0.5, cap=60.0)
            self._pauses[key] = (time.monotonic() + backoff.next(), backoff)

    def _settle(self, key: str) -> None:
        with self._lock:
            self._pauses.pop(key, None)


def _kind(action: Action) -> str:
    return type(action).__name__.lower()


def phase_of(action: Action) -> str | None:
    """Return the phase a machine has while the action is under way, None for its own."""
    match action:
        case Create():
            return "creating"
        case Delete():
            return "ending"
        case _:
            return None
