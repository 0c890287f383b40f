"""A PTZ camera as actuators: where it looks (`preset`) and whether it sees at all (`shutter`)."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge.actuators.errors import DeviceRefusedError, UnknownRequestError
from edge.actuators.port import Port
from edge.actuators.visca import frames
from edge.actuators.visca.link import CameraLink
from edge.contracts.base import Value

POLL_S = 2.0
MOVE_S = 10.0
"""A camera that has not said it is done by then is asked where it stands."""
WAKE_S = 45.0
"""What a camera may take to come out of standby."""
OPEN, CLOSED = "open", "closed"
ON, OFF = 2, 3


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """presets: name -> number; privacy: the preset that sees nothing, None: closed is standby.

    preset, shutter: the names of the actuators, "" where the camera has none.
    """

    presets: Mapping[str, int]
    preset: str = ""
    shutter: str = ""
    privacy: int | None = None
    poll_s: float = POLL_S


@dataclass(slots=True)
class _Move:
    """A recall that was acknowledged. number: where to; before: the monotonic deadline.

    arrived: it was said to be done, or the deadline has passed; done: it was said.
    """

    number: int
    ticket: int
    before: float
    arrived: bool = False
    done: bool = False


@dataclass(slots=True)
class _Seen:
    """What is known of the camera. known: it can be asked for its preset."""

    on: bool | None = None
    number: int | None = None
    known: bool = True
    fault: str = ""
    waking_until: float = 0.0
    move: _Move | None = field(default=None)


class CameraPort(Port):
    """Speaks to one camera. While the shutter is closed no preset is recalled: it would open it."""

    def __init__(
        self,
        link: CameraLink,
        settings: CameraSettings,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = link
        self._settings = settings
        self._names = {number: name for name, number in settings.presets.items()}
        self._mono = mono
        self._seen = _Seen()
        self._shut: bool | None = None
        self._opening = False
        self.poll_s = settings.poll_s

    def open(self) -> None:
        """Reach the camera; what was known of it is void."""
        self._seen = _Seen()
        self._link.open()
        self.read()

    def close(self) -> None:
        """Let go of the camera; it stays as it is."""
        self._link.close()

    def write(self, actuator: str, value: Value) -> None:
        """Recall a preset by name, or open or close the shutter."""
        if actuator == self._settings.shutter:
            self._set_shutter(value)
            return
        number = self._settings.presets.get(str(value))
        if number is None:
            known = ", ".join(self._settings.presets)
            raise DeviceRefusedError(f"{value!r} is none of its presets: {known}")
        self._recall(number)

    def read(self) -> dict[str, Value | None]:
        """Return preset and shutter as the camera tells them."""
        self._ask_power()
        self._ask_preset()
        told: dict[str, Value | None] = {}
        if shutter := self._shutter():
            told[self._settings.shutter] = shutter
        if self._settings.preset and self._seen.move is None:
            told[self._settings.preset] = self._name()
        return told

    def busy(self, actuator: str, value: Value) -> bool:
        """Whether it is on its way there, wakes up, or must not look: the shutter is closed."""
        waking = self._seen.on is not True and self._mono() < self._seen.waking_until
        if actuator == self._settings.shutter:
            return waking and value == OPEN
        # Before anybody said what the shutter should be, one that is closed stays closed.
        closed = self._shutter() == CLOSED if self._shut is None else self._shut
        asleep = self._settings.privacy is None and self._shutter() == CLOSED
        self._moving()
        # One that has arrived is looked at before it is told again.
        move = self._seen.move
        heading = move is not None and move.number == self._settings.presets.get(str(value))
        return closed or asleep or waking or heading

    def fault(self) -> str:
        """Return what the camera says of itself."""
        return self._seen.fault

    def _set_shutter(self, value: Value) -> None:
        if value not in (OPEN, CLOSED):
            raise DeviceRefusedError(f"{value!r} is neither {OPEN} nor {CLOSED}")
        self._shut = value == CLOSED
        if self._settings.privacy is not None:
            self._set_privacy(self._settings.privacy)
        elif self._shut:
            self._seen.move = None
            self._seen.waking_until = 0.0
            self._link.command(frames.STANDBY)
        else:
            self._seen.waking_until = self._mono() + WAKE_S
            self._link.command(frames.POWER_ON)

    def _set_privacy(self, privacy: int) -> None:
        if self._shut:
            self._opening = False
            self._recall(privacy)
        elif self._opening:
            # Nobody wants a preset: the first one shows the room again.
            self._recall(next(iter(self._settings.presets.values())))
        else:
            # The preset that is wanted opens it, without a look at another on the way.
            self._opening = True

    def _recall(self, number: int) -> None:
        ticket = self._link.command(frames.recall(number))
        self._seen.move = _Move(number, ticket, self._mono() + MOVE_S)

    def _moving(self) -> bool:
        move = self._seen.move
        if move is None or move.arrived:
            return False
        try:
            done = self._link.done(move.ticket)
        except DeviceRefusedError:
            self._seen.move = None
            return False
        if not done and self._mono() < move.before:
            return True
        if self._seen.known:
            # Where it is it has yet to say: an answer from before it arrived is an old one.
            move.arrived, move.done = True, done
            return False
        self._seen.move, self._seen.number = None, move.number if done else None
        return False

    def _ask_power(self) -> None:
        try:
            data = self._link.ask(frames.ASK_POWER)
        except DeviceRefusedError:
            return
        self._seen.fault = "" if data in (b"\x02", b"\x03") else "it reports a fault of its power"
        if data == b"\x02":
            self._seen.on = True
        elif data == b"\x03":
            self._seen.on = False

    def _ask_preset(self) -> None:
        moving = self._moving()
        if not self._seen.known or self._seen.on is False:
            self._seen.move = self._seen.move if moving else None
            return
        try:
            data = self._link.ask(frames.ASK_PRESET)
        except UnknownRequestError:
            self._seen.known = False
            if not moving:
                self._believe()
            return
        except DeviceRefusedError:
            data = b""
        if not moving:
            self._believe()
            if len(data) == 1:
                self._seen.number = data[0]

    def _believe(self) -> None:
        """Take a move that is over for what the camera said of it: done, or who knows where."""
        move, self._seen.move = self._seen.move, None
        if move is not None:
            self._seen.number = move.number if move.done else None

    def _name(self) -> str | None:
        if self._seen.number is None or self._shutter() == CLOSED:
            return None
        return self._names.get(self._seen.number)

    def _shutter(self) -> str:
        if not self._settings.shutter:
            return ""
        if self._settings.privacy is None:
            return "" if self._seen.on is None else OPEN if self._seen.on else CLOSED
        if self._seen.number is None or self._seen.move is not None:
            return ""
        return CLOSED if self._seen.number == self._settings.privacy else OPEN
