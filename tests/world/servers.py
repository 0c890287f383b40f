"""A real Radicale on a free loopback port, with one user and one calendar, in its own folder."""

import base64
import http.client
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.world.mosquitto import free_port
from tests.world.waiting import until

CONFIG = """
[server]
hosts = 127.0.0.1:{port}
delay_on_error = 0
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
delay = 0
[storage]
filesystem_folder = {folder}/store
[logging]
level = warning
"""


class Radicale:
    """A CalDAV server with the user `user` and the empty calendar at `url`.

    `put`, `get`, `delete` and `times` are another client of the same calendar.
    """

    user = "room"

    def __init__(self) -> None:
        self.port = free_port()
        self.password = secrets.token_urlsafe(12)
        self.folder = Path(tempfile.mkdtemp(prefix="roomkeeper-radicale-"))
        self.path = f"/{self.user}/calendar/"
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "users").write_text(f"{self.user}:{self.password}\n")
        config = CONFIG.format(port=self.port, folder=self.folder)
        (self.folder / "config").write_text(config)

    @property
    def url(self) -> str:
        """The calendar's address, without the password."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def pid(self) -> int:
        """The running server's process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start, wait until it answers, make the calendar if it is not there."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "radicale", "--config", str(self.folder / "config")],
                stdout=log,
                stderr=log,
            )
        try:
            until(self._serves, 20)
        except AssertionError as error:
            raise RuntimeError(f"{error}\n{(self.folder / 'log').read_text()}") from None
        return self

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None
        try:
            status, _, _ = self.request("MKCALENDAR", self.path)
        except OSError:
            return False
        # 409 and 405: it is there already.
        assert status in (201, 405, 409), status
        return True

    def stop(self) -> None:
        """End it by SIGTERM; the calendar stays."""
        self._end(kill=False)

    def kill(self) -> None:
        """End it by SIGKILL; the calendar stays."""
        self._end(kill=True)

    def restart(self) -> None:
        """Kill and start again on the same port with the same calendar."""
        self.kill()
        self.start()

    def _end(self, *, kill: bool) -> None:
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(10)
        self._process = None

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request as the user; return status, lower-case headers and body."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(
                method, path, body, {"Authorization": f"Basic {token}", **(headers or {})}
            )
            answer = connection.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, got, answer.read()
        finally:
            connection.close()

    def put(self, name: str, ics: bytes | str) -> str:
        """Write the file `name`.ics over whatever is there; return its new etag."""
        body = ics.encode() if isinstance(ics, str) else ics
        status, headers, answer = self.request(
            "PUT", f"{self.path}{name}.ics", body, {"Content-Type": "text/calendar; charset=utf-8"}
        )
        assert status in (201, 204), (status, answer)
        return headers["etag"]

    def get(self, name: str) -> str:
        """Return the file `name`.ics as it stands."""
        status, _, body = self.request("GET", f"{self.path}{name}.ics")
        assert status == 200, status
        return body.decode()

    def delete(self, name: str) -> None:
        """Remove the file `name`.ics."""
        status, _, _ = self.request("DELETE", f"{self.path}{name}.ics")
        assert status in (200, 204), status

    def plant(self, name: str, content: bytes) -> None:
        """Lay a file into the server's storage past its checks, as a broken server would serve."""
        root = self.folder / "store" / "collection-root" / self.user / "calendar"
        (root / f"{name}.ics").write_bytes(content)

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
