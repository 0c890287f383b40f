"""The interface every provider of machines has, and the root of what it raises."""

from typing import Protocol

from cloud_bridge.types import Capacity, Create, Machine


class VmError(Exception):
    """A provider could not do what it was asked; the text says what, of which machine, and why."""


class VmRefusedError(VmError):
    """Asking again will not help: the machine is not ours, or what it is made of is missing."""


class Provider(Protocol):
    """Five methods, each idempotent, each raising VmError; the lease is kept on the machine."""

    def ensure(self, spec: Create) -> Machine:
        """Return the machine with spec's key, begun now unless it exists; it is not ready yet."""
        ...

    def list(self) -> list[Machine]:
        """Return every machine there is, with strangers marked as not ours."""
        ...

    def renew(self, key: str, until: float) -> None:
        """Set the end of the lease, wall seconds."""
        ...

    def delete(self, key: str) -> None:
        """Make the machine gone; nothing happens when it is."""
        ...

    def capacity(self) -> Capacity:
        """Return what may run here."""
        ...
