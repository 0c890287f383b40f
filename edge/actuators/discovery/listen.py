"""The finder: hears announcements, takes nothing on trust, keeps what could be moved."""

import threading
import time
from collections.abc import Callable, Iterator

import structlog

from edge.actuators.discovery import homeassistant, tasmota, zigbee2mqtt
from edge.actuators.discovery.found import Found, movable
from edge.contracts.base import ContractError

log = structlog.get_logger()

FILTERS = (zigbee2mqtt.FILTER, tasmota.FILTER, *homeassistant.FILTERS)
PAYLOAD_LIMIT = 8 * 1024 * 1024
"""Bytes of the largest announcement: a bridge lists hundreds of devices in one."""
MESSAGE_LIMIT = 5000
FOUND_LIMIT = 1000

Read = Callable[[str, bytes], Iterator[Found]]


class Finder:
    """Takes announcements from any thread; `found` is what they come to, in a fixed order.

    refused: announcements that were none, or beyond the limits.
    """

    def __init__(self, mono: Callable[[], float] = time.monotonic) -> None:
        self._mono = mono
        self._lock = threading.Lock()
        self._by_topic: dict[str, tuple[Found, ...]] = {}
        self._messages = 0
        self._last = mono()
        self.refused = 0

    def take(self, topic: str, payload: bytes, _retained: bool = True) -> None:
        """Take an announcement; a later one of the same topic replaces it, an empty one ends it."""
        with self._lock:
            self._messages += 1
            self._last = self._mono()
            if self._messages > MESSAGE_LIMIT:
                self.refused += 1
                return
            try:
                found = tuple(movable(_reader(topic)(topic, payload))) if payload else ()
            except ContractError as error:
                self.refused += 1
                log.debug("announcement not understood", topic=topic[:100], reason=str(error))
                return
            self._by_topic[topic] = found

    def begin(self) -> None:
        """The broker answers: from now on announcements are due."""
        self._last = self._mono()

    def quiet_s(self) -> float:
        """Return the seconds since the last announcement."""
        return self._mono() - self._last

    @property
    def found(self) -> tuple[Found, ...]:
        """What could be moved, sorted; at most FOUND_LIMIT."""
        with self._lock:
            every = [one for found in self._by_topic.values() for one in found]
        every.sort(key=lambda one: (one.wiring.dialect, one.title, one.wiring.field))
        return tuple(every[:FOUND_LIMIT])


def _reader(topic: str) -> Read:
    if topic.endswith("/bridge/devices"):
        return zigbee2mqtt.devices
    return tasmota.devices if topic.startswith("tasmota/") else homeassistant.devices
