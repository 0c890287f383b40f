"""The installer's way: find the devices, paste the blocks, run the room, move every one of them."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from paho.mqtt import publish

from edge.process.link import Link
from tests.world.bare import NO_PANEL, NO_PLUGINS, run_line, write_bare
from tests.world.mosquitto import Mosquitto
from tests.world.places import BIN, ROOT
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DEVICES = (
    ("tests.world.devices", "--device=ceiling", "--device=radiator"),
    ("tests.world.tasmota", "--device=plug-1"),
    ("tests.world.tasmota", "--device=fan-1"),
    ("tests.world.entity", "--component=cover", "--name=blind"),
    ("tests.world.entity", "--component=select", "--name=input"),
)
MOVES = {
    "light.ceiling": ("50", "zigbee2mqtt/ceiling", rb'"brightness":127'),
    "climate.radiator": ("22", "zigbee2mqtt/radiator", rb'"occupied_heating_setpoint":22'),
    "switch.plug-1": ("on", "stat/plug-1/RESULT", rb'"POWER":"ON"'),
    "ventilation.fan-1": ("100", "stat/fan-1/RESULT", rb'"FanSpeed":3'),
    "blind.blind": ("40", "x/blind/position", rb"^60$"),
    "select.input": ("two", "x/input", rb"^two$"),
}
"""Actuator -> what is asked of it, and how its device then says that it did it."""

ANNOUNCED = """
[home_assistant]
discovery = true
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def begin(stack: ExitStack, *command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    stack.callback(process.wait, 10)
    stack.callback(process.kill)


def edge(*words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [str(BIN / "roomkeeper-edge"), *words]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def named(blocks: str) -> set[str]:
    return {row["name"] for row in tomllib.loads(blocks).get("actuators", [])}


def test_what_is_found_is_pasted_runs_and_moves(stack, tmp_path: Path):
    broker = stack.enter_context(Mosquitto())
    for module, *options in DEVICES:
        begin(stack, sys.executable, "-m", module, f"--port={broker.port}", *options)
    parts = (NO_PLUGINS, NO_PANEL, ANNOUNCED)
    config, _ = write_bare(tmp_path, *parts, room="aurora", broker=broker.port)
    found: list[str] = []

    def all_there() -> bool:
        found.append(edge("devices", "discover", str(config)))
        return set(MOVES) <= named(found[-1])

    until(all_there, 60)
    config.write_text(config.read_text() + found[-1])
    assert "actuators" in edge("check-config", str(config))
    assert named(edge("devices", "discover", str(config))) == set()

    said: dict[str, list[bytes]] = {}
    listener = Link("listener", broker.broker)
    listener.subscribe("#", lambda topic, body, _r: said.setdefault(topic, []).append(body))
    listener.start()
    stack.callback(listener.stop)
    begin(stack, *run_line(config))
    until(lambda: b"online" in said.get("roomkeeper/aurora/home/online", []), 40)
    for actuator, (value, topic, pattern) in MOVES.items():
        said.pop(topic, None)
        publish.single(f"roomkeeper/aurora/home/set/{actuator}", value, 1, port=broker.port)

        def moved(topic: str = topic, pattern: bytes = pattern) -> bool:
            return any(re.search(pattern, body) for body in said.get(topic, []))

        until(moved, 20, f"{actuator} = {value}: {said.get(topic)}")
