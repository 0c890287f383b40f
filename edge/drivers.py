"""The drivers of one room: which exist, and whose a command is."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog
from prometheus_client import Counter

from edge.actuators.driver import Driver
from edge.actuators.mqtt import MqttActuator, MqttDriver
from edge.actuators.vm import VmDriver
from edge.config import RoomConfig
from edge.contracts.commands import Command
from edge.contracts.signals import Signal
from edge.contracts.wire import WantedMessage
from edge.device_drivers import bacnet, cec, mixer, visca
from edge.process.link import Link

log = structlog.get_logger()

UNROUTED = Counter(
    "roomkeeper_commands_unrouted", "Commands for an actuator that no driver of the room moves."
)

Post = Callable[[Signal], None]


class Drivers:
    """Every driver the configuration asks for, as one: started, stopped and commanded together."""

    name = "drivers"

    def __init__(
        self,
        config: RoomConfig,
        devices: Link,
        post: Post,
        publish: Callable[[WantedMessage], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._vm = VmDriver(publish)
        self.snapshot = self._vm.snapshot
        """Publishes the wanted machines that a command allowed."""
        self.all: Sequence[Driver] = (
            self._vm,
            *(driver for build in BUILDERS if (driver := build(config, devices, post, wall))),
        )
        self._exact: dict[str, Driver] = {}
        self._begin: list[tuple[str, Driver]] = []
        for driver in self.all:
            for actuator in driver.actuators:
                if actuator.endswith("/*"):
                    self._begin.append((actuator[:-1], driver))
                else:
                    self._exact[actuator] = driver

    def start(self) -> None:
        """Start every driver; none waits for its devices."""
        for driver in self.all:
            driver.start()

    def stop(self) -> None:
        """Stop every driver, all at once, within a second."""
        stoppers = [threading.Thread(target=driver.stop, daemon=True) for driver in self.all]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join(1.0)

    def apply(self, command: Command) -> None:
        """Hand a command to the driver of its actuator; one that is nobody's is counted."""
        driver = self._driver(command.actuator)
        if driver is None:
            UNROUTED.inc()
            log.error("command for an actuator without a driver", actuator=command.actuator)
        else:
            driver.apply(command)

    def release(self, actuator: str) -> None:
        """Want nothing of an actuator any more."""
        driver = self._driver(actuator)
        if driver is not None:
            driver.release(actuator)

    def status(self) -> dict[str, tuple[str, ...]]:
        """Return each driver's name and the actuators it moves."""
        return {driver.name: driver.actuators for driver in self.all}

    def _driver(self, actuator: str) -> Driver | None:
        exact = self._exact.get(actuator)
        if exact is not None:
            return exact
        return next((d for begin, d in self._begin if actuator.startswith(begin)), None)


Wall = Callable[[], float]


def _mqtt(config: RoomConfig, devices: Link, post: Post, wall: Wall) -> Driver | None:
    rows = [
        MqttActuator(a.name, wiring) for a in config.actuators if (wiring := a.wiring) is not None
    ]
    return MqttDriver(devices, rows, post, wall=wall)


BUILDERS: tuple[Callable[[RoomConfig, Link, Post, Wall], Driver | None], ...] = (
    _mqtt,
    lambda config, _devices, post, wall: visca(config, post, wall),
    lambda config, _devices, post, wall: mixer(config, post, wall),
    lambda config, _devices, post, wall: bacnet(config, post, wall),
    lambda config, _devices, post, wall: cec(config, post, wall),
)
"""One for each kind of driver; None when the room has nothing for it."""
