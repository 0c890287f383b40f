"""A socket of lines with a deadline: QEMU's monitor and a guest's agent both speak them."""

import contextlib
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from cloud_bridge.vms.base import VmError

LIMIT = 1 << 20
"""A line this long is a fault, whoever sends it."""
PAUSE_S = 0.002


class LinesError(VmError):
    """The other end did not listen, hung up, or said nothing in time."""


class Lines:
    """One connection. `deadline_s` holds for everything that is said on it together."""

    def __init__(self, path: Path, deadline_s: float) -> None:
        self._path = path
        self._ends = time.monotonic() + deadline_s
        self._held = b""
        self._socket = self._connect()

    def send(self, line: str) -> None:
        """Send one line."""
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(line.encode() + b"\n")
        except OSError as error:
            raise LinesError(f"{self._path}: {error}") from error

    def read(self) -> str:
        """Return the next line."""
        while b"\n" not in self._held:
            try:
                self._socket.settimeout(self._left())
                more = self._socket.recv(65536)
            except OSError as error:
                raise LinesError(f"{self._path}: {error}") from error
            if not more or len(self._held) > LIMIT:
                raise LinesError(f"{self._path}: {'hung up' if not more else 'an endless line'}")
            self._held += more
        line, _, self._held = self._held.partition(b"\n")
        return line.decode(errors="replace").strip()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _connect(self) -> socket.socket:
        """Return a connection as soon as somebody listens."""
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.settimeout(self._left())
                sock.connect(str(self._path))
            except (FileNotFoundError, ConnectionRefusedError) as error:
                sock.close()
                if self._left() <= PAUSE_S:
                    raise LinesError(f"{self._path}: nobody listens") from error
                # QEMU makes the socket when it is ready to; nothing tells of it.
                time.sleep(PAUSE_S)
            except OSError as error:
                sock.close()
                raise LinesError(f"{self._path}: {error}") from error
            else:
                return sock

    def _left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise LinesError(f"{self._path}: no answer in time")
        return left

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self.close()
