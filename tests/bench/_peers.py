"""The engines beside which the room is measured, and the client that asks them all the same."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec

from edge.contracts.topics import DEVICE_SET
from edge.process.link import Link
from tests.bench._room import write_room
from tests.world import homeassistant, nodered
from tests.world.mosquitto import Mosquitto
from tests.world.probes import wait_for

OURS, NODE_RED, HOME_ASSISTANT, ECHO = "Roomkeeper", "Node-RED", "Home Assistant", "echo"
LAMP = DEVICE_SET.name(device="lamp")
BOARDS = tuple(f"board{number}" for number in range(250))
"""So many that none says more than the twenty at once that a board may."""

FUNCTION = """
msg.payload = {brightness: msg.payload.occupancy ? 254 : 0, id: msg.payload.id};
delete msg.topic;
return msg;
"""
AUTOMATION = """
automation:
  - id: answer
    alias: answer
    mode: queued
    max: 10000
    trigger: {platform: mqtt, topic: "peers/homeassistant/+"}
    action:
      - service: mqtt.publish
        data:
          topic: peers/homeassistant-out
          payload_template: >-
            {"brightness": {{ 254 if trigger.payload_json.occupancy else 0 }},
            "id": {{ trigger.payload_json.id }}}
"""


def engines(stack: ExitStack, broker: int) -> Iterator[tuple[str, str]]:
    """Install and start the peers; yield each one's name, and why it is not here or ""."""
    flow = nodered.answering(broker, "peers/nodered/+", "peers/nodered-out", FUNCTION)
    yield NODE_RED, _start(stack, nodered.prepare, lambda: nodered.NodeRed(flow))
    yield (
        HOME_ASSISTANT,
        _start(
            stack,
            homeassistant.prepare,
            lambda: homeassistant.HomeAssistant(broker, AUTOMATION),
        ),
    )


def _start(
    stack: ExitStack,
    prepare: Callable[[], None],
    make: Callable[[], "nodered.NodeRed | homeassistant.HomeAssistant"],
) -> str:
    try:
        prepare()
        stack.enter_context(make())
    except (OSError, RuntimeError) as error:
        return str(error)
    return ""


def write_peer_room(folder: Path, broker: int) -> tuple[Path, int]:
    """Write a room in which every edge of any board changes the room; see `write_room`."""
    config, health = write_room(folder, broker, BOARDS)
    # The last word counts: what other boards said before is no evidence any more.
    text = config.read_text().replace("[fusion]", "[fusion]\nmotion_stale_s = 1e-6")
    config.write_text(text)
    return config, health


class _Set(msgspec.Struct):
    brightness: int = -1
    occupancy: bool | None = None
    id: int = -1


_decoder = msgspec.json.Decoder(_Set)


class Asker:
    """Asks one engine, and hears what it sets: one answer at a time, or all of a burst."""

    def __init__(self, name: str, broker: Mosquitto, sender: Link, hears: str) -> None:
        self._sender = sender
        self._wanted: tuple[bool, int] | None = None
        self._there = threading.Event()
        self._lock = threading.Lock()
        self._link = Link(f"bench-{name.replace(' ', '')}", broker.broker)
        self._link.subscribe(hears, self._hear, 0)
        self._link.start()
        self.heard: list[int] = []
        self.lit = False
        wait_for("the bench's link", lambda: self._link.connected, 5)

    def _hear(self, _topic: str, payload: bytes, _retained: bool) -> None:
        said = _decoder.decode(payload)
        lit = said.brightness > 0 if said.occupancy is None else said.occupancy
        self.heard.append(said.id)
        self.lit = lit
        if self._wanted is not None and lit == self._wanted[0] and said.id in (-1, self._wanted[1]):
            self._wanted = None
            self._there.set()

    def ask(self, topic: str, payload: bytes, number: int, seconds: float = 3.0) -> float:
        """Return the milliseconds until what answers `payload` is heard; raise without."""
        self._there.clear()
        self._wanted = (number % 2 == 0, number)
        began = time.monotonic_ns()
        self._sender.publish(topic, payload, qos=0)
        if not self._there.wait(seconds):
            raise TimeoutError(f"no answer to {payload!r}")
        return (time.monotonic_ns() - began) / 1e6

    def wake(self, ask: Callable[[], float], times: int = 12) -> None:
        """Ask until it answers, and then some times more that do not count."""
        for _ in range(5):
            try:
                ask()
                break
            except TimeoutError:
                continue
        for _ in range(times):
            ask()
        time.sleep(1.0)

    def count(self) -> None:
        """Forget what was heard before a burst."""
        self.heard = []

    def wait_for(self, count: int, quiet_s: float) -> float:
        """Return when the last of `count` answers came, or the last before `quiet_s` of silence."""
        known, since = len(self.heard), time.monotonic()
        while known < count and time.monotonic() - since < quiet_s:
            time.sleep(0.002)
            if len(self.heard) != known:
                known, since = len(self.heard), time.monotonic()
        return since

    def close(self) -> None:
        self._link.stop()
