"""A motion sensor to a lamp, through everything: `python -m tests.bench.chain`.

A sensor board's message on a real broker becomes a signal, a fused room, a plugin call in its
sandbox, a policy, arbiter and gate decision, two durable journal rows and a set message to the
lamp. The clock runs from the publish of the one to the arrival of the other, in one process that
is neither the room nor the broker. Peer: the same client answering itself through the broker.
"""

import json
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from edge.contracts.topics import DEVICE_SET, NODE
from edge.process.link import Link
from tests.world.mosquitto import Mosquitto, free_port
from tests.world.site import BIN, ROOT, healthy, wait_for

SAMPLES = 150
PAUSE_S = 0.2
"""The gate lets a lamp change at most 600 times a minute."""

ROOM = """
nodes = ["board"]
[room]
id = "bench"
[broker]
port = {broker}
[site]
port = {nobody}
[calendar]
url = "http://127.0.0.1:{nobody}/none/"
[[actuators]]
name = "light.main"
driver = "mqtt"
device = "lamp"
field = "brightness"
min = 0.0
max = 100.0
rate_per_min = 600
fallback = 0
[fusion]
# Motion alone decides, at once, in both directions.
enter = 0.9
leave = 0.8
estimate_stale_s = 0.0
hold_s = 0.0
[plugins]
folder = "{root}/wasm_modules"
keys = "{root}/config/keys"
enabled = ["lights"]
[plugins.settings.lights]
hold_s = 0.0
[policy]
file = "{root}/config/policies/room.cedar"
[intents]
file = "intents.toml"
[journal]
path = "room.journal"
[clock]
always_trust = true
[health]
port = {health}
[panel]
enabled = false
"""

INTENTS = '[intent.default]\ntitle = "Meeting"\n'


def tell(figure: str, value: float, unit: str, peer: float | None = None) -> None:
    ratio = None if peer is None else round(value / peer, 3)
    print(
        json.dumps({"figure": figure, "value": value, "unit": unit, "peer": peer, "ratio": ratio})
    )


class Clock:
    """Publishes on one topic and measures until the answer arrives on another."""

    def __init__(self, broker: Mosquitto, hears: str) -> None:
        self._link = Link("bench", broker.broker)
        self._heard = threading.Event()
        self._payload = b""
        self._link.subscribe(hears, self._hear)
        self._link.start()
        wait_for("the bench's link", lambda: self._link.connected, 5)

    def _hear(self, _topic: str, payload: bytes, _retained: bool) -> None:
        self._payload = payload
        self._heard.set()

    def ask(self, topic: str, payload: bytes, seconds: float = 3.0) -> float:
        """Return milliseconds until the answer; raise when there is none."""
        self._heard.clear()
        began = time.perf_counter()
        self._link.publish(topic, payload, qos=0)
        if not self._heard.wait(seconds):
            raise TimeoutError(f"no answer to {payload!r}")
        return (time.perf_counter() - began) * 1e3

    def close(self) -> None:
        self._link.stop()


def quantile(values: list[float], part: float) -> float:
    return round(sorted(values)[min(len(values) - 1, int(part * len(values)))], 3)


def echo(broker: Mosquitto) -> list[float]:
    """What broker and client alone take, there and back once."""
    clock = Clock(broker, "bench/echo")
    times = [clock.ask("bench/echo", b"x") for _ in range(SAMPLES)]
    clock.close()
    return times


def room(broker: Mosquitto, folder: Path) -> list[float]:
    """Motion begins and ends in turn; each is answered by the lamp's next level."""
    health, nobody = free_port(), free_port()
    config = folder / "room.toml"
    config.write_text(ROOM.format(broker=broker.port, nobody=nobody, health=health, root=ROOT))
    (folder / "intents.toml").write_text(INTENTS)
    process = subprocess.Popen(
        [str(BIN / "roomkeeper-edge"), "run", str(config)], stderr=subprocess.DEVNULL
    )
    try:
        wait_for("the room", lambda: healthy(health), 30)
        clock = Clock(broker, DEVICE_SET.name(device="lamp"))
        topic = NODE.name(room="bench", node="board")
        time.sleep(1.0)  # the room's own start: the lamp's fallback, plugins compiled
        times = []
        for number in range(SAMPLES):
            times.append(clock.ask(topic, msgspec.json.encode({"occupancy": number % 2 == 0})))
            time.sleep(PAUSE_S)
        clock.close()
        return times[10:]
    finally:
        process.terminate()
        process.wait(5)


def main() -> None:
    with Mosquitto() as broker, tempfile.TemporaryDirectory() as name:
        peer = echo(broker)
        times = room(broker, Path(name))
        tell("echo through the broker, p50", statistics.median(peer), "ms")
        for label, part in (("p50", 0.5), ("p99", 0.99)):
            value = quantile(times, part)
            tell(f"motion to lamp, whole chain, {label}", value, "ms", quantile(peer, part))


if __name__ == "__main__":
    main()
