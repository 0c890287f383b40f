"""The interface every provider of machines has, and the root of what it raises."""

import socket
from dataclasses import dataclass
from typing import Protocol

from cloud_bridge.types import Capacity, Create, Machine


@dataclass(frozen=True, slots=True)
class Limits:
    """What guests may take. boots: at once, 0 for one a core.

    memory_mib: of all guests together, 0 for what the host has less `reserve_mib`; vcpus,
    per_owner: 0 for any number.
    """

    memory_mib: int = 0
    reserve_mib: int = 1024
    boots: int = 0
    vcpus: int = 0
    gpus: int = 0
    per_owner: int = 0

    def on(self, memory_mib: int, cores: int, taken_mib: int = 0) -> Capacity:
        """Return what may run on a host of that size, of which strangers have taken some."""
        free = max(0, memory_mib - self.reserve_mib - taken_mib)
        return Capacity(
            min(self.memory_mib, free) if self.memory_mib else free,
            self.boots or cores,
            self.vcpus,
            self.gpus,
            self.per_owner,
        )


class VmError(Exception):
    """A provider could not do what it was asked; the text says what, of which machine, and why."""


class VmRefusedError(VmError):
    """Asking again will not help: the machine is not ours, or what it is made of is missing."""


class VmFullError(VmError):
    """There is no room now: a quota is used up, or no host has what the machine needs."""


class Provider(Protocol):
    """Five methods, each idempotent, each raising VmError; the lease is kept on the machine.

    And `close`, for what it holds.
    """

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

    def close(self) -> None:
        """Let go of connections; machines live on."""
        ...


def free_port() -> int:
    """Return a loopback port nobody listens on; should it be taken meanwhile, QEMU says so."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
