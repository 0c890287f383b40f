"""VISCA over TCP: bare messages in order, as cameras without Sony's header speak it."""

import socket
import time
from collections import deque

from edge.actuators.errors import DeviceLostError, DeviceRefusedError
from edge.actuators.visca import frames
from edge.actuators.visca.frames import Reply
from edge.actuators.visca.link import accepted, away, silent

PORT = 5678
ANSWER_S = 0.7
KEPT = 16


class TcpLink:
    """One request at a time; a completion belongs to the command that got its socket's number."""

    def __init__(self, host: str, port: int, answer_s: float = ANSWER_S) -> None:
        self._address = (host, port)
        self._answer_s = answer_s
        self._socket: socket.socket | None = None
        self._stream = frames.Stream()
        self._waiting: deque[Reply] = deque(maxlen=64)
        self._ticket = 0
        self._by_buffer: dict[int, int] = {}
        self._moving: dict[int, Reply | None] = {}

    def open(self) -> None:
        """Connect."""
        self.close()
        try:
            self._socket = socket.create_connection(self._address, self._answer_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise DeviceLostError(away(self._address, error)) from error

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._stream = frames.Stream()
        self._waiting.clear()
        self._by_buffer.clear()
        self._moving.clear()

    def ask(self, message: bytes) -> bytes:
        """Return the data that answers an inquiry."""
        reply = self._request(message, "answer")
        return reply.data

    def command(self, message: bytes) -> int:
        """Have a command acknowledged; return the ticket that `done` takes."""
        reply = self._request(message, "ack")
        self._ticket += 1
        self._by_buffer[reply.socket] = self._ticket
        self._moving[self._ticket] = None
        while len(self._moving) > KEPT:
            del self._moving[next(iter(self._moving))]
        return self._ticket

    def done(self, ticket: int) -> bool:
        """Whether a command has been carried out; raise DeviceRefusedError if it failed."""
        if ticket in self._moving and self._moving[ticket] is None:
            self._receive(0.0)
        reply = self._moving.get(ticket, Reply("done"))
        if reply is None:
            return False
        self._moving.pop(ticket, None)
        if reply.kind == "refused":
            raise DeviceRefusedError(reply.reason)
        return True

    def _request(self, message: bytes, kind: str) -> Reply:
        self._receive(0.0)
        self._waiting.clear()
        assert self._socket is not None  # noqa: S101 - the follower opens first
        try:
            self._socket.settimeout(self._answer_s)
            self._socket.sendall(message)
        except OSError as error:
            raise DeviceLostError(away(self._address, error)) from error
        deadline = time.monotonic() + self._answer_s
        while (left := deadline - time.monotonic()) > 0:
            self._receive(left)
            while self._waiting:
                reply = accepted(self._waiting.popleft())
                if reply.kind == kind:
                    return reply
        raise DeviceLostError(silent(self._address))

    def _receive(self, seconds: float) -> None:
        """Take what has come, or comes within `seconds`; completions go to their commands."""
        assert self._socket is not None  # noqa: S101 - the follower opens first
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(2048)
        except (TimeoutError, BlockingIOError):
            return
        except OSError as error:
            raise DeviceLostError(away(self._address, error)) from error
        if not data:
            raise DeviceLostError(f"{self._address[0]}:{self._address[1]} hung up")
        for message in self._stream.feed(data):
            reply = frames.parse(message)
            if reply is not None and not self._finishes(reply):
                self._waiting.append(reply)

    def _finishes(self, reply: Reply) -> bool:
        if reply.kind not in ("done", "refused") or reply.socket not in self._by_buffer:
            return False
        ticket = self._by_buffer.pop(reply.socket)
        if ticket in self._moving:
            self._moving[ticket] = reply
        return True
