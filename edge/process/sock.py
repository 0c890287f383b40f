"""A connected socket that is read in large pieces and handed on in small ones."""

import contextlib
import socket
from collections.abc import Iterator

from edge.process.packets import Message, read_message

CHUNK = 64 * 1024
QUICKACK = socket.TCP_QUICKACK


class Buffered:
    """What paho takes for its socket: `recv` comes from memory while anything is there."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._held = b""
        self._at = 0
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def pending(self) -> int:
        """Bytes that `recv` returns without asking the system."""
        return len(self._held) - self._at

    def fill(self) -> None:
        """Read ahead; what stands in the way of that, the next `recv` says."""
        if not self.pending():
            with contextlib.suppress(OSError):
                self._held, self._at = self._raw.recv(CHUNK), 0

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes, b"" at the end; BlockingIOError when there are none yet."""
        if self._at < len(self._held):
            piece = self._held[self._at : self._at + size]
            self._at += len(piece)
            return piece
        return self._raw.recv(size)

    def messages(self, limit: int) -> Iterator[Message]:
        """Yield up to `limit` messages that stand whole in memory, until another thing is next."""
        for _ in range(limit):
            found = read_message(self._held, self._at)
            if found is None:
                return
            message, self._at = found
            yield message

    def send(self, data: bytes | bytearray) -> int:
        """Return how much the system took."""
        return self._raw.send(data)

    def acknowledge_now(self) -> None:
        """Let the broker send on: one without TCP_NODELAY waits until the last is acknowledged.

        Linux would put that off for 40 ms, and forgets this wish, so it is said again and again.
        """
        try:
            self._raw.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
        except OSError:
            return  # it has ended

    def fileno(self) -> int:
        """The descriptor, -1 once closed."""
        return self._raw.fileno()

    def setblocking(self, flag: bool) -> None:
        """As a socket does."""
        self._raw.setblocking(flag)

    def close(self) -> None:
        """Close the socket."""
        self._raw.close()
