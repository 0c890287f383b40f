"""Sensor boards as a source: what arrives over the room's broker is checked, never trusted."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Protocol

import msgspec
import structlog
from prometheus_client import Counter

from edge.contracts.signals import (
    QUANTITY_RANGE,
    ContactChanged,
    MotionChanged,
    NodeReading,
    Opening,
    Signal,
)
from edge.contracts.topics import NODE
from edge.contracts.wire import NodeMessage
from edge.process.counting import counting
from edge.process.rate import RateLimit
from edge.signals.health import HealthReporter

log = structlog.get_logger()

MESSAGES = Counter(
    "roomkeeper_node_messages",
    "Sensor boards' messages, by outcome: taken, stale, unknown, or what was wrong with them.",
    ["outcome"],
)

MESSAGE_LIMIT = 4096
CLEAN_S = 10.0
"""How long a board must send nothing wrong before it counts as well again."""

_decoder = msgspec.json.Decoder(NodeMessage)
_measured: Callable[[NodeMessage], tuple[float | None, ...]] = attrgetter(*QUANTITY_RANGE)
_NOTHING = (None,) * len(QUANTITY_RANGE)


@cache
def _counted(outcome: str) -> Callable[[], None]:
    """A label look-up per message costs as much as checking it."""
    return counting(MESSAGES.labels(outcome))


class Subscriber(Protocol):
    """The part of a link this source needs."""

    def subscribe(
        self, topic_filter: str, handler: Callable[[str, bytes, bool], None], qos: int = 1
    ) -> None:
        """Call handler(topic, payload, retained) for what matches."""
        ...


class NodeSource:
    """Posts what the configured boards measure and sense, and each board's health.

    A board is the source `node:<name>`: degraded while it sends nonsense, lost after stale_s
    without a message. Boards that nobody configured degrade the source `name`. Messages are
    handled on the link's thread; thread `<name>` watches for silence every check_s.
    """

    def __init__(
        self,
        name: str,
        link: Subscriber,
        room: str,
        nodes: Sequence[str],
        post: Callable[[Signal], None],
        *,
        stale_s: float = 90.0,
        check_s: float = 1.0,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._link = link
        self._room = room
        self._post = post
        self._check_s = check_s
        self._mono = mono
        self._lock = threading.Lock()
        self._strangers = HealthReporter(name, post)
        self._stranger_at: float | None = None
        self._nodes = {node: _Node(node, post, stale_s, mono) for node in nodes}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=name)

    def start(self) -> None:
        """Begin to listen."""
        if self._nodes:
            self._link.subscribe(NODE.filter(room=self._room), self._on_message, NODE.qos)
            self._thread.start()

    def stop(self) -> None:
        """Stop watching, at once; messages that still come are ignored."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _on_message(self, topic: str, payload: bytes, retained: bool) -> None:
        if self._stop.is_set():
            return
        with self._lock:
            node = self._nodes.get(topic.rpartition("/")[2])
            if node is not None:
                outcome = "stale" if retained else node.take(payload)
            else:
                outcome = "unknown"
                self._stranger_at = self._mono()
                # The name is left out: a stranger could make each report a new one.
                self._strangers.degraded("a board that is not in the configuration sends messages")
        _counted(outcome)()

    def _watch(self) -> None:
        while not self._stop.wait(self._check_s):
            with self._lock:
                for node in self._nodes.values():
                    node.check()
                if self._stranger_at is not None and self._mono() - self._stranger_at > CLEAN_S:
                    self._stranger_at = None
                    self._strangers.ok()


class _Node:
    """One board: its health, its motion, when it was last heard."""

    def __init__(
        self, name: str, post: Callable[[Signal], None], stale_s: float, mono: Callable[[], float]
    ) -> None:
        self._source = f"node:{name}"
        self._post = post
        self._stale_s = stale_s
        self._mono = mono
        self._health = HealthReporter(self._source, post)
        self._rate = RateLimit(NODE.rate, 2 * NODE.rate, mono)
        self._heard = mono()
        self._wrong_at: float | None = None
        self._motion: bool | None = None
        self._open: dict[Opening, bool] = {}

    def take(self, payload: bytes) -> str:
        """Post what the payload says; return what became of it."""
        if not self._rate.allow():
            return self._wrong("flooded", f"sends more than {NODE.rate:g} messages a second")
        if len(payload) > MESSAGE_LIMIT:
            return self._wrong("too_large", f"sends over {MESSAGE_LIMIT} bytes")
        try:
            message = _decoder.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._wrong("malformed", "sends what is no message of a sensor board")
        self._heard = self._mono()
        wrong = self._readings(message)
        if message.occupancy is not None and message.occupancy != self._motion:
            self._motion = message.occupancy
            self._post(MotionChanged(self._source, message.occupancy))
        if message.window is not None:
            self._contact("window", message.window)
        if message.door is not None:
            self._contact("door", message.door)
        if wrong:
            return self._wrong("out_of_range", f"sends impossible values: {', '.join(wrong)}")
        if self._wrong_at is None or self._heard - self._wrong_at > CLEAN_S:
            self._wrong_at = None
            self._health.ok()
        return "taken"

    def check(self) -> None:
        """Report a board that has been silent for too long."""
        if self._mono() - self._heard > self._stale_s and self._health.health != "lost":
            # What it last said is unknown now, so that its first word counts again.
            self._motion = None
            self._open = {}
            log.warning("sensor board silent", source=self._source)
            self._health.lost(f"no message for {self._stale_s:g} s")

    def _contact(self, opening: Opening, is_open: bool) -> None:
        if is_open != self._open.get(opening):
            self._open[opening] = is_open
            self._post(ContactChanged(self._source, opening, is_open))

    def _readings(self, message: NodeMessage) -> list[str]:
        wrong: list[str] = []
        values = _measured(message)
        if values == _NOTHING:
            return wrong
        for (quantity, (low, high, _)), value in zip(QUANTITY_RANGE.items(), values, strict=True):
            if value is None:
                continue
            if low <= value <= high:
                self._post(NodeReading(self._source, quantity, float(value)))
            else:
                wrong.append(quantity)
        return wrong

    def _wrong(self, outcome: str, reason: str) -> str:
        self._wrong_at = self._mono()
        self._health.degraded(reason)
        return outcome
