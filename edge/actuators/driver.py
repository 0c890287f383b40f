"""What every driver is: it takes desired states on and follows them up on its own thread."""

from typing import Protocol

from edge.contracts.commands import Command


class Driver(Protocol):
    """Moves some of the room's actuators; no method waits for a device."""

    @property
    def name(self) -> str:
        """`driver:<kind>`, the name of its thread and of its own health."""
        ...

    @property
    def actuators(self) -> tuple[str, ...]:
        """The actuators it moves; a name that ends in `/*` stands for all that begin so."""
        ...

    def start(self) -> None:
        """Begin to follow; a device that is away is reported, never raised."""
        ...

    def stop(self) -> None:
        """End within a second; devices stay as they are."""
        ...

    def apply(self, command: Command) -> None:
        """Take a desired state on, from any thread, until its lease lapses."""
        ...

    def release(self, actuator: str) -> None:
        """Want nothing of an actuator any more."""
        ...
