"""A room under load: several sensor boards whose motion changes with every message."""

import threading
import time

import msgspec

from edge.contracts import topics
from edge.process.link import Broker, Link

BOARDS = ("load1", "load2", "load3", "load4", "load5")
EACH_PER_S = 8.0
"""Below the rate at which the room calls a board mad."""


class Load:
    """Publishes for every board of BOARDS, EACH_PER_S messages a second, until `rest` or `stop`.

    What the broker does not take while it is away is not sent again, as with real boards; nor is
    what a machine had no time for: in a burst it would make the boards mad.
    """

    def __init__(self, port: int, room: str) -> None:
        self._link = Link("load", Broker("127.0.0.1", port))
        self._topics = [topics.NODE.name(room=room, node=board) for board in BOARDS]
        self._resting = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self.sent = 0

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._link.start()
        self._thread.start()

    def rest(self) -> None:
        """Go on without motion: the room is empty and its journal nearly still."""
        self._resting.set()

    def wake(self) -> None:
        """Go on with motion."""
        self._resting.clear()

    def stop(self) -> None:
        """End within a second."""
        self._stop.set()
        self._thread.join(1.0)
        self._link.stop()

    def _run(self) -> None:
        due = time.monotonic()
        turn = 0
        period = 1.0 / (EACH_PER_S * len(self._topics))
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            topic = self._topics[turn % len(self._topics)]
            motion = not self._resting.is_set() and turn // len(self._topics) % 2 == 0
            reading = {"occupancy": motion, "temperature": 20.0 + turn % 50 / 10}
            if self._link.publish(topic, msgspec.json.encode(reading), qos=0):
                self.sent += 1
            turn += 1
            due = max(due, time.monotonic()) + period
