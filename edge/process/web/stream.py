"""Server-sent events: the parts of the page that changed, as they change."""

import json
import threading
import time
from collections.abc import Callable, Generator, Iterator

from prometheus_client import Counter, Gauge

from edge.process.web.pulse import Pulse

STREAMS = Gauge("roomkeeper_page_streams", "Event streams that are open")
REFUSED = Counter("roomkeeper_page_streams_refused", "Event streams refused at the cap")
PUSHED = Counter("roomkeeper_page_parts", "Page parts sent to event streams", ["part"])

BEAT_S = 2.0
REDRAW_S = 1.0
GAP_S = 0.05
"""Least time between two drawings of one stream: a burst of changes is drawn once."""


class Seats:
    """How many event streams there may be at once."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    def take(self) -> bool:
        """Return whether there was one left; give it back with `leave`."""
        if self._free.acquire(blocking=False):
            STREAMS.inc()
            return True
        REFUSED.inc()
        return False

    def leave(self) -> None:
        """Give a seat back."""
        STREAMS.dec()
        self._free.release()


class Stream:
    """One browser's event stream; iterated and closed by the web server.

    draw: returns the parts that changed since it was last called; open_for: whether the reader
    may go on reading.
    """

    def __init__(
        self,
        draw: Callable[[], dict[str, str]],
        pulse: Pulse,
        seats: Seats,
        stamp: str,
        open_for: Callable[[], bool] = lambda: True,
    ) -> None:
        self._open_for = open_for
        self._draw = draw
        self._pulse = pulse
        self._seats = seats
        self._open = True
        self._events = self._run(stamp)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """Give the seat back; also when the browser left before the first event."""
        if self._open:
            self._open = False
            self._events.close()
            self._seats.leave()

    def _run(self, stamp: str) -> Generator[bytes, None, None]:
        yield event("hello", {"stamp": stamp})
        beat = time.monotonic()
        while not self._pulse.closed and self._open_for():
            seen = self._pulse.count
            for part, html in self._draw().items():
                PUSHED.labels(part).inc()
                yield event("part", {"id": part, "html": html})
            if time.monotonic() - beat >= BEAT_S:
                beat = time.monotonic()
                yield event("beat", {})
            drawn = time.monotonic()
            self._pulse.wait(seen, REDRAW_S)
            early = GAP_S - (time.monotonic() - drawn)
            if early > 0:
                self._pulse.rest(early)


def event(name: str, data: object) -> bytes:
    """Return one event; JSON has no line break, so it is one data line."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
