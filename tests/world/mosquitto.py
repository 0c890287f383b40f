"""A real Mosquitto on a free loopback port, in a directory of its own."""

import random
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.process.link import Broker
from tests.world.waiting import until


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on.

    Below the range that the kernel gives to outgoing connections: one of those would take the port
    before the server we start has it.
    """
    for _ in range(200):
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port from 15000 to 32000 on the loopback")


class Mosquitto:
    """Start, stop, kill and restart a broker on one port.

    acl: text of an ACL file; users: name -> password (anonymous is refused when given);
    persistent: retained messages survive `stop` (not `kill`: Mosquitto saves at its end).
    """

    def __init__(
        self,
        *,
        acl: str = "",
        users: dict[str, str] | None = None,
        persistent: bool = False,
        settings: str = "",
    ) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="roomkeeper-mosquitto-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._config = self.folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", f"allow_anonymous {str(not users).lower()}"]
        # As root the broker would drop to a user who cannot read this folder.
        lines += ["user root", f"persistence {str(persistent).lower()}", settings]
        if persistent:
            lines.append(f"persistence_location {self.folder}/")
        if acl:
            (self.folder / "acl").write_text(acl)
            lines.append(f"acl_file {self.folder / 'acl'}")
        if users:
            lines.append(f"password_file {self._passwords(users)}")
        self._config.write_text("\n".join(lines) + "\n")

    def _passwords(self, users: dict[str, str]) -> Path:
        path = self.folder / "passwords"
        path.touch()
        for name, password in users.items():
            subprocess.run(["mosquitto_passwd", "-b", str(path), name, password], check=True)
        return path

    @property
    def broker(self) -> Broker:
        """Where it listens, without a name."""
        return Broker("127.0.0.1", self.port)

    @property
    def pid(self) -> int:
        """The running broker's process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start and wait until it accepts."""
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(self._config)], stdout=log, stderr=log
            )
        try:
            until(self._accepts, 10)
        except AssertionError:
            raise RuntimeError((self.folder / "log").read_text()) from None
        return self

    def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kill -9: nothing is saved."""
        self._end(lambda process: process.kill())

    def stop(self) -> None:
        """SIGTERM: a persistent broker saves."""
        self._end(lambda process: process.terminate())

    def _end(self, how) -> None:  # type: ignore[no-untyped-def]
        if self._process is None:
            return
        how(self._process)
        self._process.wait(10)
        self._process = None

    def restart(self) -> None:
        """Kill -9 and start again on the same port."""
        self.kill()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
