"""Whether a machine's own service answers: the page behind its port states its key and token."""

import http.client
import socket
import time
from typing import TYPE_CHECKING

from cloud_bridge.types import Machine

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PATH = "/ready"
TIMEOUT_S = 0.4
LIMIT = 512


class Hasty(http.client.HTTPConnection):
    """A connection whose time-out holds for all that is read: a guest may send byte after byte."""

    def connect(self) -> None:
        """Reach the machine, in its own time-out, and let the answer's run from here."""
        seconds = float(self.timeout or 0.0)
        plain = socket.create_connection((self.host, self.port), seconds)
        self.sock = _Socket(time.monotonic() + seconds, plain.detach())
        self.sock.settimeout(seconds)


class _Socket(socket.socket):
    def __init__(self, ends: float, fileno: int) -> None:
        super().__init__(fileno=fileno)
        self._ends = ends

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0) -> int:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("not in time")
        self.settimeout(left)
        return super().recv_into(buffer, nbytes, flags)


def answers(machine: Machine, timeout_s: float = TIMEOUT_S) -> bool:
    """Return whether the machine itself, and no other process on its port, answers."""
    if not machine.address:  # which http.client would take for this host
        return False
    connection = Hasty(machine.address, timeout=timeout_s)
    try:
        connection.request("GET", PATH)
        response = connection.getresponse()
        told = response.read(LIMIT).decode(errors="replace").split()
        return response.status == http.client.OK and told == [machine.key, machine.token]
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
