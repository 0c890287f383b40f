"""A hand at a real lamp: broker, device, driver and the deciding parts together, in real time.

The room's clock runs faster or slower than the driver's, so that what has to last lasts no longer,
and what must not have lasted yet has not, however busy the machine is.
"""

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from paho.mqtt import publish

from edge.actuators.dialects import Wiring
from edge.actuators.mqtt import MqttActuator, MqttDriver
from edge.contracts.commands import Command, PluginCommand
from edge.contracts.signals import DeviceReported, PluginAnswered, Signal, Woke
from edge.decide.devices import SETTLE_S
from edge.process.link import Link
from tests.world.mosquitto import Mosquitto
from tests.world.room import Room
from tests.world.waiting import until

FAST, SLOW = 10.0, 0.01
LIGHT = "light.main"


class House:
    """A room whose commands go to a real driver and whose driver's reports come back."""

    def __init__(self, stack: ExitStack, pace: float) -> None:
        self._pace = pace
        self.broker = stack.enter_context(Mosquitto())
        self.room = Room()
        self.given: list[Command] = []
        self.told: list[object] = []
        self._began = time.monotonic()
        self._heard: deque[Signal] = deque()
        self._turn = threading.Lock()
        self._link = Link("devices", self.broker.broker)
        wiring = [MqttActuator(LIGHT, Wiring("ceiling", "brightness"))]
        self.driver = MqttDriver(self._link, wiring, self.hear, wall=lambda: self.room.wall)
        self.driver.start()
        self._link.start()
        for part in (self._link, self.driver):
            stack.callback(part.stop)
        line = [sys.executable, "-m", "tests.world.devices", "--port", str(self.broker.port)]
        lamp = subprocess.Popen([*line, "--device=ceiling"])
        stack.callback(lamp.wait, 10)
        stack.callback(lamp.kill)
        until(lambda: self.reported() == 0)

    def hear(self, signal: Signal) -> None:
        """Decide on a signal at this instant; what follows goes to the driver.

        Never waits for who is deciding: that one may wait for the driver, which tells us in a lock.
        """
        self._heard.append(signal)
        while self._heard and self._turn.acquire(blocking=False):
            try:
                while self._heard:
                    self._decide(self._heard.popleft())
            finally:
                self._turn.release()

    def _decide(self, signal: Signal) -> None:
        passed = self._pace * (time.monotonic() - self._began) - (self.room.mono - 1000.0)
        self.room.mono += max(0.0, passed)
        self.room.wall += max(0.0, passed)
        if isinstance(signal, DeviceReported):
            self.told.append(signal.value)
        for command in self.room.say(signal).commands:
            self.given.append(command)
            if command.actuator == LIGHT:
                self.driver.apply(command)

    def reported(self) -> object:
        """What the lamp says, once the room has been woken as its loop would wake it."""
        self.hear(Woke())
        return self.room.state.room.reported.get(LIGHT)

    def dim(self, value: float) -> None:
        wish = PluginCommand("e", LIGHT, value, 86_000.0)
        self.hear(PluginAnswered("plugin:lights", ("e",), (wish,)))
        until(lambda: self.reported() == value)

    def settle(self) -> None:
        """Wait until the room believes that the lamp follows."""

        def settled() -> bool:
            self.hear(Woke())
            agreed = self.room.state.stances[LIGHT].agreed
            return agreed is not None and self.room.mono >= agreed + SETTLE_S

        until(settled)

    def hand(self, payload: bytes) -> None:
        """Do what a wall switch does: the lamp is set without the room."""
        publish.single("zigbee2mqtt/ceiling/set", payload, 1, port=self.broker.port)

    def holds(self) -> str:
        self.hear(Woke())
        return self.room.state.given[LIGHT].source


@pytest.fixture
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with ExitStack() as stack:
        yield House(stack, request.param)


@pytest.mark.parametrize("house", [FAST], indirect=True)
def test_a_hand_at_the_lamp_is_not_fought_and_holds(house: House) -> None:
    house.dim(70.0)
    house.settle()
    house.given.clear()
    house.hand(b'{"state":"OFF"}')
    until(lambda: house.holds() == "device:ceiling")
    assert house.reported() == 0, "the driver has not set it back meanwhile"
    assert [(c.value, c.reason) for c in house.given] == [(0, "set at the device")]
    # A second change of mind is one more hold, at once; nothing echoes.
    house.hand(b'{"brightness":127}')
    until(lambda: house.holds() == "device:ceiling" and house.room.last(LIGHT) == 50)
    assert house.reported() == 50
    assert [c.value for c in house.given] == [0, 50]


@pytest.mark.parametrize("house", [SLOW], indirect=True)
def test_a_lamp_that_was_told_lately_is_brought_in_line(house: House) -> None:
    house.dim(70.0)
    house.given.clear()
    house.told.clear()
    house.hand(b'{"state":"OFF"}')
    until(lambda: house.reported() == 70.0 and house.told[-2:] == [0, 70.0])
    assert house.holds() == "plugin:lights"
    assert house.given == []
