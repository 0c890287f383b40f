"""Wakes a page's event streams when what it shows has changed."""

import threading


class Pulse:
    """A counter that threads wait on. `beat` never blocks, so a loop may call it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._closed = False

    @property
    def count(self) -> int:
        """How often it has beaten."""
        return self._count

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def beat(self) -> None:
        """Say that there is something else to show."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def close(self) -> None:
        """End every wait, now and later."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, seen: int, seconds: float) -> int:
        """Return the count once it is past `seen`, at the latest after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._count > seen, seconds)
            return self._count

    def rest(self, seconds: float) -> None:
        """Return after `seconds` whatever beats, or at once when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)
