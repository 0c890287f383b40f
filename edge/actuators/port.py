"""One device and how to speak to it: what differs from driver to driver."""

from collections.abc import Mapping
from typing import Protocol

from edge.actuators.desires import equal
from edge.contracts.base import Value


class Port(Protocol):
    """A device as its follower's thread uses it; no other thread calls it.

    Every method may raise DeviceLostError; `write` and `relinquish` DeviceRefusedError as well.
    What has a body here holds for devices that know nothing of the kind.
    """

    lazy: bool = False
    """Whether a value that the device already reports needs no write."""
    poll_s: float
    """How often it is read when nothing else happens."""

    def open(self) -> None:
        """Connect; what was open before is closed."""
        ...

    def close(self) -> None:
        """Let go of the device; also after a failed `open`, also twice."""
        ...

    def write(self, actuator: str, value: Value) -> None:
        """Bring an actuator to a value; raise DeviceRefusedError when the device says no."""
        ...

    def read(self) -> Mapping[str, Value | None]:
        """Return what the actuators are; None: at none of their values; left out: unknown."""
        ...

    def relinquish(self, actuator: str) -> None:  # noqa: ARG002
        """Leave an actuator to others; it stays as it is."""
        return

    def busy(self, actuator: str, value: Value) -> bool:  # noqa: ARG002
        """Whether a write has to wait: it moves, or something else comes first."""
        return False

    def same(self, actuator: str, wanted: Value, told: Value) -> bool:
        """Whether a device that reports `told` follows `wanted`."""
        return equal(actuator, wanted, told)

    def fault(self) -> str:
        """Return what the device itself says is wrong with it, "" when nothing."""
        return ""

    def excuse(self, actuator: str) -> str:  # noqa: ARG002
        """Return why an actuator does not follow, "" when nobody knows."""
        return ""
