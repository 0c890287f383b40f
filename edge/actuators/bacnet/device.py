"""A BACnet device as actuators: each holds one slot of an object's priority array."""

from collections.abc import Callable, Mapping, Sequence

from bacpypes3.pdu import Address

from edge.actuators.bacnet import points
from edge.actuators.bacnet.points import Point
from edge.actuators.bacnet.stack import BacnetStack
from edge.actuators.errors import DeviceLostError, DeviceRefusedError
from edge.actuators.port import Port
from edge.contracts.base import Value

SLOTS = 16


class BacnetPort(Port):
    """Speaks to one device; `changed` is called when it says that a value changed.

    Written is always: a value that stands there already may be another's, and the room's own slot
    has to hold it.
    """

    def __init__(
        self,
        stack: BacnetStack,
        points_: Sequence[Point],
        priority: int,
        poll_s: float,
        address: str = "",
        instance: int | None = None,
    ) -> None:
        self._stack = stack
        self._points = {point.actuator: point for point in points_}
        self._priority = priority
        self._address = address
        self._instance = instance
        self._peer: Address | None = None
        self._watches: list[Callable[[], object]] = []
        self._excuses: dict[str, str] = {}
        self._rounded: dict[str, tuple[Value, Value]] = {}
        self._written: dict[str, Value] = {}
        self._fault = ""
        self.poll_s = poll_s
        self.changed: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Find the device and have it tell its changes."""
        self.close()
        peer = self._peer = self._stack.locate(self._address, self._instance)
        self.read()
        self._watches = [
            self._stack.watch(peer, point, self._on_change) for point in self._points.values()
        ]

    def close(self) -> None:
        """Forget the device; its slots stay as they are."""
        for end in self._watches:
            end()
        self._watches = []
        self._peer = None

    def write(self, actuator: str, value: Value) -> None:
        """Write the present value into the room's slot."""
        point = self._points[actuator]
        self._stack.write(self._found, point, points.to_present(point, value), self._priority)
        self._written[actuator] = value
        self._rounded.pop(actuator, None)

    def relinquish(self, actuator: str) -> None:
        """Give the room's slot back."""
        self._written.pop(actuator, None)
        self._stack.write(self._found, self._points[actuator], None, self._priority)

    def read(self) -> Mapping[str, Value | None]:
        """Return the present values; one that cannot be read is named and left out."""
        told: dict[str, Value | None] = {}
        self._fault = ""
        for actuator, point in self._points.items():
            try:
                present = self._stack.read(self._found, point)
            except DeviceRefusedError as error:
                self._fault = f"{point.name}: {error}"
                continue
            value = points.from_present(point, present)
            if value is None and not point.states:
                self._fault = f"{point.name} reports {str(present)[:32]}"
                continue
            told[actuator] = value
            self._look_closer(actuator, point, value)
        return told

    def same(self, actuator: str, wanted: Value, told: Value) -> bool:
        """Devices round; what one made of the room's own slot is as near as it gets."""
        return points.same(wanted, told) or self._rounded.get(actuator) == (wanted, told)

    def fault(self) -> str:
        """Return what cannot be read."""
        return self._fault

    def excuse(self, actuator: str) -> str:
        """Return who holds an actuator that does not follow, "" when nobody does."""
        return self._excuses.get(actuator, "")

    def _on_change(self) -> None:
        self.changed()

    @property
    def _found(self) -> Address:
        if self._peer is None:
            raise DeviceLostError("not found yet")
        return self._peer

    def _look_closer(self, actuator: str, point: Point, value: Value | None) -> None:
        """Ask who rules, when a value is not the room's: another master, or the room, rounded."""
        self._excuses.pop(actuator, None)
        written = self._written.get(actuator)
        if written is None or (value is not None and self.same(actuator, written, value)):
            return
        ruler = points.ruling(self._slots(point))
        if ruler is None:
            return
        slot, held = ruler
        told = points.from_present(point, held)
        if slot < self._priority:
            self._excuses[actuator] = f"{point.name} is held at {told} by priority {slot}"
        ours = slot == self._priority and told is not None and points.same(written, told)
        if ours and value is not None:
            self._rounded[actuator] = (written, value)

    def _slots(self, point: Point) -> list[object]:
        try:
            slots = self._stack.read(self._found, point, "priority-array")
        except DeviceRefusedError:
            return []
        return [None if s._choice == "null" else getattr(s, s._choice) for s in slots[:SLOTS]]
