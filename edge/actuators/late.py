"""What a driver's own thread makes, because it takes seconds on a small computer to load it."""

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from edge.actuators.devices import Part
from edge.actuators.port import Port
from edge.contracts.base import Value

T = TypeVar("T", bound=Part)


class Late(Generic[T]):
    """What several followers share: made and started by the first that asks for it."""

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._made: T | None = None

    def get(self) -> T:
        """Return it, started."""
        with self._lock:
            if self._made is None:
                self._made = self._build()
                self._made.start()
            return self._made

    def start(self) -> None:
        """Wait for the first who needs it."""

    def stop(self) -> None:
        """End it, if it was ever made."""
        if self._made is not None:
            self._made.stop()


class LatePort(Port):
    """A port that is made when it is first opened."""

    def __init__(self, build: Callable[[], Port], poll_s: float) -> None:
        self._build = build
        self._port: Port | None = None
        self.poll_s = poll_s

    def open(self) -> None:
        """Make the port, once, and open it."""
        self._made.open()

    def close(self) -> None:
        """Close it, if it was ever made."""
        if self._port is not None:
            self._port.close()

    def write(self, actuator: str, value: Value) -> None:
        """As the port does."""
        self._made.write(actuator, value)

    def read(self) -> Mapping[str, Value | None]:
        """As the port does."""
        return self._made.read()

    def relinquish(self, actuator: str) -> None:
        """As the port does."""
        self._made.relinquish(actuator)

    def busy(self, actuator: str, value: Value) -> bool:
        """As the port does."""
        return self._made.busy(actuator, value)

    def same(self, actuator: str, wanted: Value, told: Value) -> bool:
        """As the port does."""
        return self._made.same(actuator, wanted, told)

    def fault(self) -> str:
        """As the port does."""
        return self._made.fault()

    def excuse(self, actuator: str) -> str:
        """As the port does."""
        return self._made.excuse(actuator)

    @property
    def _made(self) -> Port:
        if self._port is None:
            self._port = self._build()
        return self._port
