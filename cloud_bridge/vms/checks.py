"""Whether a machine is ready, asked the way its template says."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cloud_bridge.types import Machine
from cloud_bridge.vms.answers import TIMEOUT_S, Hasty, answers
from cloud_bridge.vms.files import LINE, Files

LINE_MAX = 4096
HEARD_S = 30.0
"""What was said on the serial line counts this long."""


@dataclass(frozen=True, slots=True)
class Check:
    """How a machine is asked.

    page: /ready states its key and token; http: `path` answers with 200; tcp: its port greets who
    connects, as SSH does; serial: a line "READY KEY" on the port ready.0, again and again.
    """

    kind: Literal["page", "http", "tcp", "serial"] = "page"
    path: str = "/"


@dataclass
class _Line:
    peer: socket.socket
    said: bytes = b""
    ready_at: float = float("-inf")


class Checks:
    """Asks any machine; at most `timeout_s` for each question. Thread-safe."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        files: Files,
        mono: Callable[[], float] = time.monotonic,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._checks = checks
        self._files = files
        self._mono = mono
        self._timeout_s = timeout_s
        self._lines: dict[str, _Line] = {}
        self._lock = threading.Lock()

    def ready(self, machine: Machine) -> bool:
        """Return whether the machine says that it is ready."""
        check = self._checks.get(machine.template, Check())
        if check.kind != "serial" and not machine.address:
            # Not told yet; a library would take "" for this host.
            return False
        match check.kind:
            case "page":
                return answers(machine, self._timeout_s)
            case "http":
                return _serves(machine.address, check.path, self._timeout_s)
            case "tcp":
                return _greets(machine.address, self._timeout_s)
            case "serial":
                with self._lock:
                    return self._says(machine)

    def close(self) -> None:
        """Let go of every serial line."""
        with self._lock:
            for token in list(self._lines):
                self._hang_up(token)

    def _says(self, machine: Machine) -> bool:
        """Read without waiting what came since the last question: the line stays open between."""
        line = self._lines.get(machine.token)
        try:
            if line is None:
                self._lines[machine.token] = line = _Line(_called(self._path(machine)))
            self._hear(line, f"READY {machine.key}".encode())
        except OSError:
            self._hang_up(machine.token)
            return False
        return self._mono() - line.ready_at <= HEARD_S

    def _hear(self, line: _Line, wanted: bytes) -> None:
        for _ in range(16):  # what a guest says without end is not listened to without end
            try:
                data = line.peer.recv(LINE_MAX)
            except BlockingIOError:
                return
            if not data:
                raise ConnectionResetError("the machine ended")
            *lines, rest = (line.said + data).split(b"\n")
            line.said = rest[-LINE_MAX:]
            if any(each.strip().startswith(wanted) for each in lines):
                line.ready_at = self._mono()

    def _path(self, machine: Machine) -> Path:
        return self._files.place(machine.key, machine.token) / LINE

    def _hang_up(self, token: str) -> None:
        line = self._lines.pop(token, None)
        if line is not None:
            line.peer.close()


def _called(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.setblocking(False)
    try:
        peer.connect(str(path))
    except OSError:
        peer.close()
        raise
    return peer


def _greets(address: str, timeout_s: float) -> bool:
    """Return whether a byte comes: the network in between accepts before the guest does."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout_s) as peer:
            return bool(peer.recv(1))
    except (OSError, ValueError):
        return False


def _serves(address: str, path: str, timeout_s: float) -> bool:
    connection = Hasty(address, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
