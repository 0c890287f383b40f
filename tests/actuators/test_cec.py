"""A display behind a stand-in for cec-ctl: what is asked of it, and how its answers are read."""

import fcntl
import json
import os
import sys
from pathlib import Path

import pytest

from edge.actuators.cec import CecPort, CecSettings
from edge.actuators.errors import DeviceLostError, DeviceRefusedError
from tests.actuators.device_room import DeviceRoom
from tests.world.waiting import until

ROOT = Path(__file__).parents[2]
NAMES = ("display.power", "display.input")
INPUTS = {"laptop": "1.0.0.0", "player": "2.0.0.0"}


class Display:
    """The state that the stand-in keeps, and the adapter's file.

    Who changes the state holds the lock: the stand-in too writes all of it, as it had read it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "state.json"
        self._lock = folder / "lock"
        self.adapter = folder / "cec0"
        self.adapter.touch()
        self.set(power="standby", source="1.0.0.0")

    def set(self, **changes):
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = self.state if self._path.exists() else {}
            temporary = self._path.with_suffix(".new")
            temporary.write_text(json.dumps({**known, **changes}))
            temporary.replace(self._path)

    @property
    def state(self):
        return json.loads(self._path.read_text())

    def port(self, poll_s=0.2, answer_s=4.0):
        return CecPort(CecSettings(str(self.adapter), INPUTS, *NAMES, poll_s, answer_s))


@pytest.fixture
def display(tmp_path, monkeypatch):
    tool = tmp_path / "bin/cec-ctl"
    tool.parent.mkdir()
    state = tmp_path / "state.json"
    stand_in = f"{sys.executable} -m tests.world.cec_ctl {state}"
    line = f'cd {ROOT} && exec flock --no-fork {tmp_path}/lock {stand_in} "$@"'
    tool.write_text(f"#!/bin/sh\n{line}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    return Display(tmp_path)


def test_a_display_is_switched_on_to_an_input_and_off(stack, display):
    world = DeviceRoom(stack, display.port(), NAMES).start()
    world.until_reported("display.power", "off")
    world.apply("display.input", "player")
    world.apply("display.power", "on")
    world.until_reported("display.power", "on")
    world.until_reported("display.input", "player")
    assert (display.state["power"], display.state["source"]) == ("on", "2.0.0.0")
    world.apply("display.power", "off")
    world.until_reported("display.power", "off")
    assert world.healths == [("ok", "")], "an input that waits for the display is no fault"


def test_what_a_remote_control_does_is_told(stack, display):
    world = DeviceRoom(stack, display.port(), NAMES).start()
    world.until_reported("display.power", "off")
    display.set(power="on", source="2.0.0.0")
    world.until_reported("display.power", "on")
    world.until_reported("display.input", "player")


def test_a_display_that_does_not_tell_its_input_is_believed(stack, display):
    display.set(power="on", dumb=True)
    world = DeviceRoom(stack, display.port(), NAMES).start()
    world.apply("display.input", "player")
    world.until_reported("display.input", "player")


def test_a_display_on_its_way_is_neither_on_nor_off(display):
    port = display.port()
    port.open()
    port.write("display.power", "on")
    display.set(power="to-on")
    assert port.read() == {}
    assert port.busy("display.power", "on"), "it is on its way: not told again"
    assert not port.busy("display.power", "off"), "somebody may want it off at once"
    assert port.busy("display.input", "player")
    display.set(power="on")
    assert port.read()["display.power"] == "on"
    assert not port.busy("display.input", "player")


def look(port):
    port.open()
    return port.read()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"absent": True}, "no display is heard"),
        ({"rubbish": True}, "does not answer"),
        ({"broken": True}, "Input/output error"),
        ({"hang": True}, "did not end within 0.5 s"),
    ],
)
def test_what_goes_wrong_on_the_cable_is_named(display, fault, said):
    display.set(**fault)
    port = display.port(answer_s=0.5 if "hang" in fault else 4.0)
    with pytest.raises(DeviceLostError, match=said):
        look(port)


def test_a_display_that_comes_back_is_told_again(stack, display):
    world = DeviceRoom(stack, display.port(), NAMES).start()
    world.apply("display.power", "on")
    world.until_reported("display.power", "on")
    display.set(absent=True)
    world.until_health(lambda health, reason: health == "lost" and "no display" in reason)
    display.set(absent=False, power="standby")
    until(lambda: display.state["power"] == "on")
    world.until_health(lambda health, _reason: health == "ok")


def test_a_host_without_an_adapter_or_without_the_tool_is_told_what_to_do(display, monkeypatch):
    display.adapter.unlink()
    with pytest.raises(DeviceLostError, match="ls /dev/cec"):
        display.port().open()
    display.adapter.touch()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceLostError, match="apt install v4l-utils"):
        display.port().open()


def test_what_is_no_power_and_no_input_is_refused(display):
    port = display.port()
    for actuator, value in ((NAMES[0], "dimmed"), (NAMES[0], 1), (NAMES[1], "aerial")):
        with pytest.raises(DeviceRefusedError):
            port.write(actuator, value)
