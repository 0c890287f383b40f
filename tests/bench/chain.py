"""A motion sensor to a lamp, through everything: `python -m tests.bench.chain [--profile]`.

A sensor board's message on a real broker becomes a signal, a fused room, a plugin call in its
sandbox, a policy, arbiter and gate decision, two durable journal rows and a set message to the
lamp. The clock runs from the publish of the one to the arrival of the other, in a process that is
neither the room nor the broker. Measured in turn with it, as the room may not be quicker: the same
client answering itself through the broker, and one small write to the same disk made durable.
`--profile` notes every hand-over inside the room and prints where the time goes, as a table.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from edge.contracts.topics import DEVICE_SET, NODE
from tests.bench._room import Clock, quantile, running, tell, write_room
from tests.world.mosquitto import Mosquitto

SAMPLES = 250
WARM_UP = 10
PAUSE_S = 0.1
"""A sensor board may speak ten times a second, and a lamp change 600 times a minute."""

STEPS = (
    ("arrives", "to the room: client, broker, link"),
    ("taken MotionChanged", "checked, into the inbox and taken there"),
    ("step ends", "core: the room is fused, events found"),
    ("plugin begins", "signal to the journal, the plugins' thread wakes"),
    ("plugin ends", "plugin call in a fresh instance"),
    ("taken PluginAnswered", "answer into the inbox and taken there"),
    ("step ends", "core: policy, arbiter, gate"),
    ("append", "signal and decision to JSON"),
    ("commit begins", "from the step to the commit, on the same thread"),
    ("commit ends", "one commit of both rows, on the disk"),
    ("released", "handed out"),
    ("written", "driver, socket"),
)
"""Where a signal is noted, in its order, and what it has been through since the note before."""

Span = tuple[int, int]


def disk(descriptor: int) -> Span:
    """Make one page more durable; return when that began and ended."""
    began = time.monotonic_ns()
    os.write(descriptor, b"x" * 4096)
    os.fdatasync(descriptor)
    return began, time.monotonic_ns()


def measure(folder: Path, *command: str) -> dict[str, list[Span]]:
    """Return the samples of each kind, taken in turn."""
    found: dict[str, list[Span]] = {"chain": [], "echo": [], "disk": []}
    with Mosquitto() as broker:
        config, health = write_room(folder, broker.port)
        topic = NODE.name(room="bench", node="board")
        with running(config, health, *command), (folder / "page").open("wb") as page:
            lamp = Clock(broker, "bench-lamp", DEVICE_SET.name(device="lamp"))
            echo = Clock(broker, "bench-echo", "bench/echo")
            for number in range(SAMPLES):
                motion = msgspec.json.encode({"occupancy": number % 2 == 0})
                found["chain"].append(lamp.ask(topic, motion))
                time.sleep(PAUSE_S / 3)
                found["echo"].append(echo.ask("bench/echo", b"x"))
                time.sleep(PAUSE_S / 3)
                found["disk"].append(disk(page.fileno()))
                time.sleep(PAUSE_S / 3)
            lamp.close()
            echo.close()
    return {name: spans[WARM_UP:] for name, spans in found.items()}


def milliseconds(spans: list[Span]) -> list[float]:
    return [(end - begin) / 1e6 for begin, end in spans]


def steps_of(span: Span, notes: list[tuple[int, str]]) -> list[float] | None:
    """Return the milliseconds of each step of one sample; None when one was passed twice."""
    at, taken = span[0], []
    within = iter([note for note in notes if span[0] <= note[0] <= span[1]])
    for place, _ in STEPS:
        instant = next((when for when, name in within if name == place), None)
        if instant is None:
            return None
        taken.append((instant - at) / 1e6)
        at = instant
    return [*taken, (span[1] - at) / 1e6]


def profile() -> None:
    """Print the table of a room that notes its hand-overs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = str(folder / "notes.json")
        config = str(folder / "room.toml")
        found = measure(folder, "-m", "tests.bench._traced", config, out)
        notes = [(when, place) for when, place in json.loads(Path(out).read_text())]
    rows = [steps for span in found["chain"] if (steps := steps_of(span, notes)) is not None]
    medians = [statistics.median(column) for column in zip(*rows, strict=True)]
    texts = [text for _, text in STEPS] + ["to the lamp: broker, client"]
    print(
        f"{len(rows)} of {len(found['chain'])} samples\n\n| step | p50 ms | share |\n|---|--:|--:|"
    )
    for text, value in zip(texts, medians, strict=True):
        print(f"| {text} | {value:.2f} | {value / sum(medians):.0%} |")
    whole = statistics.median(milliseconds(found["chain"]))
    print(f"| whole chain, noted | {whole:.2f} | |")
    for kind in ("echo", "disk"):
        print(f"| beside it: {kind} | {statistics.median(milliseconds(found[kind])):.2f} | |")


def main() -> None:
    if "--profile" in sys.argv:
        profile()
        return
    with tempfile.TemporaryDirectory() as name:
        found = {kind: milliseconds(spans) for kind, spans in measure(Path(name)).items()}
    echo, sync, chain = found["echo"], found["disk"], found["chain"]
    tell("echo through the broker, ten a second, p50", statistics.median(echo), "ms")
    tell("4 KB made durable on this disk, ten a second, p50", statistics.median(sync), "ms")
    for label, part in (("p50", 0.5), ("p99", 0.99)):
        floor = quantile(echo, part) + quantile(sync, part)
        value = quantile(chain, part)
        tell(f"motion to lamp, whole chain, {label}", value, "ms", "echo and disk", floor)
    tell("motion to lamp, whole chain, max", max(chain), "ms", "echo", max(echo))


if __name__ == "__main__":
    main()
