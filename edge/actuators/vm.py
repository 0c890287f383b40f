"""The driver of the actuator class `vm`: what the gate let through becomes the room's snapshot."""

import threading
from collections.abc import Callable

import structlog

from edge.contracts.commands import Command
from edge.contracts.wire import WantedMessage

log = structlog.get_logger()
PREFIX = "vm/"


class VmDriver:
    """Publishes the wanted machines; one that no command allows is never asked for."""

    name = "driver:vm"
    actuators = (PREFIX + "*",)

    def __init__(self, publish: Callable[[WantedMessage], None]) -> None:
        self._publish = publish
        self._allowed: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        """Nothing runs: the uplink publishes."""

    def stop(self) -> None:
        """Nothing to end."""

    def apply(self, command: Command) -> None:
        """Note that the machine behind `command.actuator` may be wanted from this template."""
        with self._lock:
            self._allowed[command.actuator] = str(command.value)

    def release(self, actuator: str) -> None:
        """Allow the machine no longer."""
        with self._lock:
            self._allowed.pop(actuator, None)

    def snapshot(self, message: WantedMessage) -> None:
        """Publish `message` without the machines no command allowed."""
        with self._lock:
            names = {PREFIX + machine.key for machine in message.machines}
            self._allowed = {a: t for a, t in self._allowed.items() if a in names}
            kept = tuple(
                m for m in message.machines if self._allowed.get(PREFIX + m.key) == m.template
            )
        if len(kept) != len(message.machines):
            log.error("machine wanted without a command", asked=len(message.machines))
        self._publish(WantedMessage(message.room, message.version, message.at, kept))
