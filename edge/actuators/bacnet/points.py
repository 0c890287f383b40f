"""Objects of a BACnet device, and between their present values and an actuator's. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge.actuators.errors import DeviceRefusedError
from edge.contracts.base import Value

ON, OFF = "on", "off"
TOLERANCE = 0.05
"""What a device may round a number to (it keeps tenths) and still have followed."""


@dataclass(frozen=True, slots=True)
class Point:
    """An object that an actuator moves. kind: analog-value to multi-state-output.

    states: the actuator's names of the states 1, 2 and so on of a multi-state object.
    """

    actuator: str
    kind: str
    instance: int
    states: tuple[str, ...] = ()

    @classmethod
    def parse(cls, actuator: str, part: str, states: tuple[str, ...]) -> "Point":
        """Return the point that `part` ("analog-value,1") names."""
        kind, _, instance = part.partition(",")
        return cls(actuator, kind, int(instance), states)

    @property
    def name(self) -> str:
        """The object as BACnet people write it."""
        return f"{self.kind},{self.instance}"


def to_present(point: Point, value: Value) -> float | int:
    """Return what is written to the present value; raise DeviceRefusedError."""
    if point.kind.startswith("binary"):
        if value not in (ON, OFF):
            raise DeviceRefusedError(f"{value!r} is neither {ON} nor {OFF}")
        return int(value == ON)
    if point.kind.startswith("multi"):
        if value not in point.states:
            raise DeviceRefusedError(f"{value!r} is none of {', '.join(point.states)}")
        return point.states.index(str(value)) + 1
    if isinstance(value, bool | str) or not math.isfinite(value):
        raise DeviceRefusedError(f"{value!r} is no number")
    return float(value)


def from_present(point: Point, present: object) -> Value | None:
    """Return a present value in the actuator's words; None: none of them, or not to be believed."""
    if not isinstance(present, int | float) or not math.isfinite(present):
        return None
    if point.kind.startswith("binary"):
        return {0: OFF, 1: ON}.get(int(present))
    if point.kind.startswith("multi"):
        number = int(present)
        return point.states[number - 1] if 1 <= number <= len(point.states) else None
    # Single precision: 21.3 comes back as 21.299999237060547.
    return float(f"{float(present):.6g}")


def same(wanted: Value, told: Value) -> bool:
    """Whether a device that tells `told` follows."""
    if isinstance(wanted, str) or isinstance(told, str):
        return wanted == told
    return abs(wanted - told) <= TOLERANCE + 1e-6 * abs(wanted)


def ruling(slots: Sequence[object]) -> tuple[int, object] | None:
    """Return (priority, value) of the slot that rules an object: the first that is not empty."""
    return next(((n, held) for n, held in enumerate(slots, 1) if held is not None), None)
