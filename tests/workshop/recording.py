"""A journal recorded by a real room: its process and broker, a lamp, a board that sees motion."""

import subprocess
import sys
from pathlib import Path

import msgspec

from edge.contracts.topics import DEVICE_SET, NODE
from tests.bench._room import Clock, running, write_room
from tests.world.mosquitto import Mosquitto
from tests.world.places import ROOT


def record(folder: Path, comings: int = 3) -> Path:
    """Let people come and go; return the journal of a room whose light followed them."""
    with Mosquitto() as broker:
        config, health = write_room(folder, broker.port)
        devices = [sys.executable, "-m", "tests.world.devices"]
        lamp = subprocess.Popen(
            [*devices, "--port", str(broker.port), "--device", "lamp"], cwd=ROOT
        )
        try:
            with running(config, health):
                ask = Clock(broker, "recording", DEVICE_SET.name(device="lamp"))
                topic = NODE.name(room="bench", node="board")
                for number in range(2 * comings):
                    motion = msgspec.json.encode({"occupancy": number % 2 == 0})
                    ask.ask(topic, motion, seconds=20.0)
                ask.close()
        finally:
            lamp.terminate()
            lamp.wait(10)
    return folder / "room.journal"
