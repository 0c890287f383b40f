"""A room for figures: its whole process on a real broker, without calendar, service and media."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge.process.link import Link
from tests.world.bare import LAMP, NO_PANEL, write_bare
from tests.world.mosquitto import Mosquitto
from tests.world.places import ROOT
from tests.world.probes import healthy, wait_for

QUICK = """
rate_per_min = 600
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
fade_s = 0.0
"""

EDGE = ("-c", "from edge.cli import main; main()", "run")


def tell(
    figure: str, value: float, unit: str, peer: str = "", peer_value: float | None = None
) -> None:
    """Print one figure; peer: what `peer_value` (same unit, same run) is of."""
    ratio = None if peer_value is None else round(value / peer_value, 3)
    named = peer if peer_value is None else f"{peer}: {peer_value:.3g} {unit}"
    line = {"figure": figure, "value": round(value, 3), "unit": unit, "peer": named}
    print(json.dumps({**line, "ratio": ratio}), flush=True)


def quantile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def write_room(folder: Path, broker: int, nodes: Sequence[str] = ("board",)) -> tuple[Path, int]:
    """Write a room's files; return its configuration and the port of its health."""
    quick = QUICK.format(root=ROOT)
    return write_bare(folder, LAMP, quick, NO_PANEL, room="bench", nodes=nodes, broker=broker)


@contextmanager
def running(config: Path, health: int, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """The room's process, well when this is entered. command: instead of the product's own."""
    argv = [sys.executable, *(command or (*EDGE, str(config)))]
    process = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_for("the room", lambda: healthy(health), 30)
        time.sleep(1.0)  # the room's own start: the lamp's fallback, plugins compiled
        yield process
    finally:
        process.terminate()
        process.wait(5)


class Clock:
    """Publishes on one topic and measures until the answer arrives on another."""

    def __init__(self, broker: Mosquitto, name: str, hears: str) -> None:
        self._link = Link(name, broker.broker)
        self._heard = threading.Event()
        self._link.subscribe(hears, lambda *_: self._heard.set())
        self._link.start()
        wait_for("the bench's link", lambda: self._link.connected, 5)

    def ask(self, topic: str, payload: bytes, seconds: float = 3.0) -> tuple[int, int]:
        """Return monotonic nanoseconds of question and answer; raise when there is none."""
        self._heard.clear()
        began = time.monotonic_ns()
        self._link.publish(topic, payload, qos=0)
        if not self._heard.wait(seconds):
            raise TimeoutError(f"no answer to {payload!r}")
        return began, time.monotonic_ns()

    def close(self) -> None:
        self._link.stop()
