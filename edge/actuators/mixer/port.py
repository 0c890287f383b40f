"""A microphone as actuators: its gain in per cent and whether it is muted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from edge.actuators.errors import DeviceRefusedError
from edge.actuators.port import Port
from edge.contracts.base import Value

ON, OFF = "on", "off"


@dataclass(frozen=True, slots=True)
class Levels:
    """What a source is set to: per cent, and muted; None where it has no such control."""

    gain: float | None
    muted: bool | None


class Backend(Protocol):
    """A sound system. Every method but close may raise DeviceLostError."""

    @property
    def step(self) -> float:
        """How coarse the gain is, in per cent."""
        ...

    def open(self, changed: Callable[[], None]) -> None:
        """Reach the source; call `changed` from any thread when others have set it."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...

    def levels(self) -> Levels:
        """Return what it is set to now."""
        ...

    def set_gain(self, percent: float) -> None:
        """Set every channel's gain; raise DeviceRefusedError when it has none."""
        ...

    def set_muted(self, muted: bool) -> None:
        """Mute it, or let it be heard; raise DeviceRefusedError when it cannot."""
        ...


class MixerPort(Port):
    """One source of a sound system; `changed` is called when others have set it."""

    lazy = True
    """Nothing is written over what it is already: somebody may hold the slider."""

    def __init__(self, backend: Backend, gain: str, mute: str, poll_s: float) -> None:
        self._backend = backend
        self._gain = gain
        self._mute = mute
        self.poll_s = poll_s
        self.changed: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Reach the source."""
        self._backend.open(self._on_change)

    def close(self) -> None:
        """Let go of it; it stays as it is."""
        self._backend.close()

    def write(self, actuator: str, value: Value) -> None:
        """Set gain or mute."""
        if actuator == self._mute:
            if value not in (ON, OFF):
                raise DeviceRefusedError(f"{value!r} is neither {ON} nor {OFF}")
            self._backend.set_muted(value == ON)
        elif isinstance(value, str) or not 0 <= value <= 150:
            raise DeviceRefusedError(f"{value!r} is no gain from 0 to 150 per cent")
        else:
            self._backend.set_gain(float(value))

    def read(self) -> Mapping[str, Value | None]:
        """Return gain and mute."""
        levels = self._backend.levels()
        told: dict[str, Value | None] = {}
        if self._gain and levels.gain is not None:
            told[self._gain] = round(levels.gain)
        if self._mute and levels.muted is not None:
            told[self._mute] = ON if levels.muted else OFF
        return told

    def same(self, _actuator: str, wanted: Value, told: Value) -> bool:
        """A gain may be rounded to the next step there is."""
        if isinstance(wanted, str) or isinstance(told, str):
            return wanted == told
        return abs(wanted - told) <= max(1.0, self._backend.step / 2 + 0.5)

    def _on_change(self) -> None:
        self.changed()
