"""The way to a VISCA camera: UDP with sequence numbers, or TCP. Used by one thread."""

import socket
import time
from collections.abc import Callable
from typing import Protocol

from edge.actuators.errors import DeviceLostError, DeviceRefusedError, UnknownRequestError
from edge.actuators.visca import frames
from edge.actuators.visca.frames import Reply

PORT = 52381
ANSWER_S = 0.25
ATTEMPTS = 3
KEPT = 16
"""Commands whose completion is still expected; the oldest is forgotten first."""
ANSWER_LIMIT = 64
"""Packets looked at while one answer is awaited: more is a flood."""


class CameraLink(Protocol):
    """A camera to command and to ask. Every method but close may raise DeviceLostError."""

    def open(self) -> None:
        """Reach the camera."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...

    def ask(self, message: bytes) -> bytes:
        """Return the data that answers an inquiry; raise DeviceRefusedError."""
        ...

    def command(self, message: bytes) -> int:
        """Have a command accepted; return a ticket; raise DeviceRefusedError."""
        ...

    def done(self, ticket: int) -> bool:
        """Whether a command has been carried out; raise DeviceRefusedError if it failed."""
        ...


class UdpLink:
    """VISCA over UDP: each request has a number and is said again until it is answered."""

    def __init__(self, host: str, port: int, answer_s: float = ANSWER_S) -> None:
        self._address = (host, port)
        self._answer_s = answer_s
        self._socket: socket.socket | None = None
        self._sequence = 0
        self._moving: dict[int, Reply | None] = {}

    def open(self) -> None:
        """Reach the camera and begin to count at one."""
        self.close()
        try:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.connect(self._address)
        except OSError as error:
            raise DeviceLostError(away(self._address, error)) from error
        self._reset()

    def close(self) -> None:
        """Let go of the camera."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._moving.clear()

    def ask(self, message: bytes) -> bytes:
        """Return the data that answers an inquiry."""
        reply = self._request(frames.INQUIRY, message)
        if reply is None or reply.kind != "answer":
            raise DeviceRefusedError("it answers an inquiry with an acknowledgement")
        return reply.data

    def command(self, message: bytes) -> int:
        """Have a command acknowledged; return the ticket that `done` takes."""
        reply = self._request(frames.COMMAND, message)
        if reply is None or reply.kind == "ack":
            self._moving[self._sequence] = None
            while len(self._moving) > KEPT:
                del self._moving[next(iter(self._moving))]
        return self._sequence

    def done(self, ticket: int) -> bool:
        """Whether a command has been carried out; raise DeviceRefusedError if it failed."""
        if self._moving.get(ticket, _DONE) is None:
            self._drain()
        reply = self._moving.get(ticket, _DONE)
        if reply is None:
            return False
        self._moving.pop(ticket, None)
        if reply.kind == "refused":
            raise DeviceRefusedError(reply.reason)
        return True

    def _reset(self) -> None:
        for _ in range(ATTEMPTS):
            self._send(frames.CONTROL, 0, frames.RESET)
            found = self._until(
                lambda kind, _s, m: kind == frames.CONTROL_REPLY and m == frames.RESET
            )
            if found is not None:
                self._sequence = 0
                return
        raise DeviceLostError(silent(self._address))

    def _request(self, kind: int, message: bytes) -> Reply | None:
        """Say `message` until it is answered; None: it arrived, but the answer was lost."""
        for _ in range(2):
            self._sequence = self._sequence % 0xFFFFFFFF + 1
            for attempt in range(ATTEMPTS):
                self._send(kind, self._sequence, message)
                answer = self._until(self._answers)
                if answer is None:
                    continue
                if isinstance(answer, Reply):
                    return accepted(answer)
                if attempt and kind == frames.COMMAND:
                    # Only a number that the camera has seen is wrong the second time.
                    return None
                break
            else:
                raise DeviceLostError(silent(self._address))
            self._reset()
        raise DeviceLostError(f"{self._address[0]} does not accept the numbers of this room")

    def _answers(self, kind: int, sequence: int, message: bytes) -> Reply | bool | None:
        """Return the reply to the latest request, True when its number is refused, else None."""
        if kind == frames.CONTROL_REPLY and sequence == self._sequence:
            return True if message in (frames.SEQUENCE_WRONG, frames.TYPE_WRONG) else None
        reply = frames.parse(message) if kind == frames.REPLY else None
        if reply is None or self._finished(sequence, reply) or sequence != self._sequence:
            return None
        return reply

    def _finished(self, sequence: int, reply: Reply) -> bool:
        """Note what became of a command that was acknowledged before."""
        if sequence not in self._moving or reply.kind not in ("done", "refused"):
            return False
        self._moving[sequence] = reply
        return True

    def _drain(self) -> None:
        for _ in range(ANSWER_LIMIT):
            packet = self._receive(0.0)
            if packet is None:
                return
            found = frames.unpack(packet)
            reply = frames.parse(found[2]) if found and found[0] == frames.REPLY else None
            if found and reply is not None:
                self._finished(found[1], reply)

    def _until(
        self, wanted: Callable[[int, int, bytes], Reply | bool | None]
    ) -> Reply | bool | None:
        deadline = time.monotonic() + self._answer_s
        for _ in range(ANSWER_LIMIT):
            left = deadline - time.monotonic()
            packet = self._receive(left) if left > 0 else None
            if packet is None:
                return None
            found = frames.unpack(packet)
            answer = wanted(*found) if found is not None else None
            if answer:
                return answer
        return None

    def _send(self, kind: int, sequence: int, message: bytes) -> None:
        assert self._socket is not None  # noqa: S101 - the follower opens first
        try:
            self._socket.send(frames.pack(kind, sequence, message))
        except OSError as error:
            raise DeviceLostError(away(self._address, error)) from error

    def _receive(self, seconds: float) -> bytes | None:
        assert self._socket is not None  # noqa: S101 - the follower opens first
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(2048)
        except (TimeoutError, BlockingIOError):
            return None
        except OSError as error:
            raise DeviceLostError(away(self._address, error)) from error


_DONE = Reply("done")


def accepted(reply: Reply) -> Reply:
    """Return a reply that is a yes; raise DeviceRefusedError for one that is not."""
    if reply.kind == "refused":
        raise (UnknownRequestError if reply.code == 2 else DeviceRefusedError)(reply.reason)
    return reply


def away(address: tuple[str, int], error: OSError) -> str:
    """Say that a camera cannot be reached."""
    reason = error.strerror or str(error)
    return f"{address[0]}:{address[1]} cannot be reached: {reason}; is it switched on?"


def silent(address: tuple[str, int]) -> str:
    """Say that a camera does not answer."""
    return f"{address[0]}:{address[1]} does not answer; is VISCA over IP switched on in its menu?"
