"""A whole room with a camera, a microphone and a controller, each a process of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from edge.decide.devices import SETTLE_S
from edge.journal import open_reader
from tests.actuators.test_bacnet import SETPOINT, Management
from tests.world.bare import NO_PANEL, NO_PLUGINS, run_line, write_bare
from tests.world.mosquitto import free_port
from tests.world.peer import Peer
from tests.world.pulse import PulseServer
from tests.world.waiting import until

DEVICES = """
[[actuators]]
name = "camera.preset"
driver = "visca"
device = "ptz"
part = "preset"
values = ["home", "table"]
fallback = "table"
[[actuators]]
name = "microphone.gain"
driver = "mixer"
device = "default"
part = "gain"
min = 0.0
max = 100.0
fallback = 70
[[actuators]]
name = "climate.setpoint"
driver = "bacnet"
device = "radiators"
part = "analog-value,1"
min = 15.0
max = 28.0
fallback = 18.0
[[visca]]
name = "ptz"
host = "127.0.0.1"
port = {udp}
presets = {{ home = 0, table = 1 }}
[bacnet]
address = "127.0.0.1/32:{own}"
poll_s = 1.0
[[bacnet.devices]]
name = "radiators"
address = "127.0.0.2:{bacnet}"
"""


@pytest.fixture
def house(tmp_path):
    """The devices, and a room that is started with `run`; ports by name."""
    ports = {name: free_port() for name in ("health", "udp", "tcp", "own", "bacnet")}
    devices = DEVICES.format(**ports)
    config, _ = write_bare(tmp_path, devices, NO_PLUGINS, NO_PANEL, health=ports["health"])
    with (
        PulseServer() as sound,
        Peer("tests.world.ptz", f"--udp={ports['udp']}", f"--tcp={ports['tcp']}"),
        Peer("tests.world.bacnet_device", f"--port={ports['bacnet']}"),
        (tmp_path / "edge.log").open("w") as log,
    ):
        env = {**os.environ, "PULSE_SERVER": sound.env["PULSE_SERVER"]}
        process = subprocess.Popen(run_line(config), stderr=log, env=env)
        try:
            yield process, ports, sound, tmp_path
        finally:
            process.kill()
            process.wait()


def gain(sound):
    command = ["pactl", "get-source-volume", "room.monitor"]
    text = subprocess.run(command, env=sound.env, check=True, capture_output=True, text=True)
    return int(text.stdout.split("/")[1].strip(" %"))


def preset(port):
    with socket.create_connection(("127.0.0.1", port), 5) as remote:
        remote.sendall(b"\x81\x09\x04\x3f\xff")
        reply = b""
        while not reply.endswith(b"\xff"):
            reply += remote.recv(16)
    return reply[2]


def listens(port):
    with contextlib.suppress(OSError):
        return preset(port) is not None
    return False


def unhealthy(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return json.loads(answer.read())["unhealthy"]
    except OSError:
        return None


@pytest.mark.slow
def test_devices_rest_where_the_room_says_keep_what_hands_set_and_are_given_back(house):
    process, ports, sound, folder = house
    building = Management(f"127.0.0.2:{ports['bacnet']}")
    until(lambda: unhealthy(ports["health"]) is not None, 30)
    until(lambda: gain(sound) == 70, 30, "the microphone rests")
    until(building.answers, 30, "the controller answers")
    until(lambda: building.slot(SETPOINT, 12) == 18.0, 30, "the setpoint rests")
    until(lambda: listens(ports["tcp"]), 30, "the camera answers")
    until(lambda: preset(ports["tcp"]) == 1, 30, "the camera rests")
    assert not [name for name in unhealthy(ports["health"]) if name.startswith("device:")]

    def held():
        with open_reader(folder / "room.journal") as reader:
            return any(b"set at the device" in (row.body or b"") for row in reader.read())

    rests = time.monotonic()

    def turned():
        # What is set before the device has rested for a while is brought back: then once more.
        nonlocal rests
        if gain(sound) == 70 and time.monotonic() > rests + SETTLE_S + 1:
            rests = time.monotonic()
            command = ["pactl", "set-source-volume", "room.monitor", "40%"]
            subprocess.run(command, env=sound.env, check=True)
        return held()

    until(turned, 60, (folder / "edge.log").read_text())
    until(lambda: gain(sound) == 40, 10, "what hands set stays")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, (folder / "edge.log").read_text()
    assert building.slot(SETPOINT, 12) is None, "the building has its setpoint back"
    assert (gain(sound), preset(ports["tcp"])) == (40, 1), "all others stay as they are"
