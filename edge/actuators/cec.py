"""A display on HDMI-CEC: its power and its input, through the kernel's adapter and `cec-ctl`.

Written from the manuals and tested against a stand-in for cec-ctl; not yet tried on a real display.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.actuators.errors import DeviceLostError, DeviceRefusedError
from edge.actuators.port import Port
from edge.contracts.base import Value

TOOL = "cec-ctl"
ANSWER_S = 4.0
"""A message takes up to a second, its answer another, and cec-ctl repeats what is not heard."""
OUTPUT_LIMIT = 64 * 1024
TURN_S = 30.0
"""What a display may take to come on or to go to sleep."""
ON, OFF = "on", "off"
POWER = {"on": ON, "standby": OFF}
BROADCAST = "15"
DISPLAY = "0"

_STATE = re.compile(r"pwr-state: *([a-z-]{1,20})")
_ADDRESS = re.compile(r"phys-addr: *([0-9a-f](?:\.[0-9a-f]){3})\b")


@dataclass(frozen=True, slots=True)
class CecSettings:
    """adapter: the device file; inputs: name -> physical address.

    power, input: the names of the actuators, "" where there is none.
    """

    adapter: str
    inputs: Mapping[str, str]
    power: str = ""
    input: str = ""
    poll_s: float = 5.0
    answer_s: float = ANSWER_S


class CecPort(Port):
    """The display at the other end of the cable. One that does not tell its input is believed."""

    def __init__(self, settings: CecSettings, mono: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._names = {address: name for name, address in settings.inputs.items()}
        self._mono = mono
        self._power = ""
        self._wanted = ""
        self._turns_until = 0.0
        self._input: str | None = None
        self.poll_s = settings.poll_s

    def open(self) -> None:
        """Find the adapter and take part in the bus as a playback device."""
        adapter = self._settings.adapter
        if not Path(adapter).exists():
            text = f"there is no HDMI-CEC adapter {adapter}; look with: ls /dev/cec*"
            raise DeviceLostError(text)
        self._input = None
        self._run("--playback", "--osd-name", "Roomkeeper")

    def close(self) -> None:
        """The kernel keeps the adapter: there is nothing to let go of."""

    def write(self, actuator: str, value: Value) -> None:
        """Switch the display on or off, or to an input."""
        if actuator == self._settings.input:
            self._select(value)
        elif value == ON:
            self._send("--to", DISPLAY, "--image-view-on")
            self._turn(ON)
        elif value == OFF:
            self._send("--to", DISPLAY, "--standby")
            self._turn(OFF)
        else:
            raise DeviceRefusedError(f"{value!r} is neither {ON} nor {OFF}")

    def read(self) -> Mapping[str, Value | None]:
        """Return power and input, as far as the display tells them."""
        told: dict[str, Value | None] = {}
        answer = self._send("--to", DISPLAY, "--give-device-power-status")
        found = _STATE.search(answer)
        if found is None:
            raise DeviceLostError("the display does not answer: is its HDMI-CEC switched on?")
        self._power = POWER.get(found[1], "")
        if self._power == self._wanted:
            self._turns_until = 0.0
        if self._settings.power and self._power:
            told[self._settings.power] = self._power
        if self._settings.input and self._power == ON:
            told[self._settings.input] = self._source()
        return told

    def busy(self, actuator: str, value: Value) -> bool:
        """Whether it is on its way on or off; a display that sleeps takes no input."""
        turning = self._mono() < self._turns_until
        if actuator == self._settings.power:
            return turning and value == self._wanted
        return turning or self._power != ON

    def _turn(self, wanted: str) -> None:
        self._wanted = wanted
        self._turns_until = self._mono() + TURN_S

    def _select(self, value: Value) -> None:
        address = self._settings.inputs.get(str(value))
        if address is None:
            known = ", ".join(self._settings.inputs)
            raise DeviceRefusedError(f"{value!r} is none of its inputs: {known}")
        self._run("--skip-info", "--to", BROADCAST, "--active-source", f"phys-addr={address}")
        self._input = str(value)

    def _source(self) -> str | None:
        answer = self._run("--skip-info", "--to", BROADCAST, "--request-active-source")
        found = _ADDRESS.search(answer)
        if found is not None:
            self._input = self._names.get(found[1])
        return self._input

    def _send(self, *words: str) -> str:
        answer = self._run("--skip-info", *words)
        if "Not Acknowledged" in answer:
            raise DeviceLostError("no display is heard on the HDMI cable")
        return answer

    def _run(self, *words: str) -> str:
        tool = shutil.which(TOOL)
        if tool is None:
            raise DeviceLostError(f"{TOOL} is not installed; run: apt install v4l-utils")
        try:
            done = subprocess.run(
                [tool, "-d", self._settings.adapter, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._settings.answer_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DeviceLostError(f"{TOOL} did not end within {error.timeout:g} s") from error
        except OSError as error:
            raise DeviceLostError(f"{TOOL} cannot be run: {error.strerror}") from error
        said = done.stdout[:OUTPUT_LIMIT].decode("utf-8", "replace")
        if done.returncode:
            why = done.stderr[:200].decode("utf-8", "replace").strip() or said[:200].strip()
            raise DeviceLostError(f"{TOOL}: {why or f'ended with {done.returncode}'}")
        return said
