"""A driver of devices that each have a follower of their own."""

import threading
from collections.abc import Sequence
from typing import Protocol

from edge.actuators.follower import Follower
from edge.contracts.commands import Command


class Part(Protocol):
    """Anything that runs."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End."""
        ...


class DeviceDriver:
    """A driver of one kind: one follower for each device, so that none waits for another.

    `base` is what all of them stand on: started before them, stopped after them.
    """

    def __init__(self, name: str, followers: Sequence[Follower], base: Part | None = None) -> None:
        self.name = name
        self._base = base
        self._followers = followers
        self._by_actuator = {a: f for f in followers for a in f.actuators}
        self.actuators = tuple(self._by_actuator)

    def start(self) -> None:
        """Begin to follow every device."""
        if self._base is not None:
            self._base.start()
        for follower in self._followers:
            follower.start()

    def stop(self) -> None:
        """End every follower, all at once, within a second."""
        stoppers = [threading.Thread(target=f.stop, daemon=True) for f in self._followers]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join(1.0)
        if self._base is not None:
            self._base.stop()

    def apply(self, command: Command) -> None:
        """Hand a command to the device of its actuator."""
        follower = self._by_actuator.get(command.actuator)
        if follower is not None:
            follower.apply(command)

    def release(self, actuator: str) -> None:
        """Want nothing of an actuator any more."""
        follower = self._by_actuator.get(actuator)
        if follower is not None:
            follower.release(actuator)
