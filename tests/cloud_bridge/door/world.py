"""A door over its own store, a room that shows codes, and pages that stand for guests'."""

import http.client
import re
import secrets
import socket
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import msgspec

from cloud_bridge.door.front import create_door
from cloud_bridge.door.server import DoorServer
from cloud_bridge.door.site import Options, Site, place_of
from cloud_bridge.store import DoorStore, EventStore, MachineStore, Store
from cloud_bridge.store.events import Batch, Snapshot
from cloud_bridge.types import Machine
from edge.contracts import codes
from edge.contracts.wire import WantedMachine, WantedMessage
from tests.cloud_bridge.service import new_key

THEME = Path(__file__).parents[3] / "config" / "theme"


class Guest:
    """A web page on a loopback port, as a machine's is; it keeps what it was asked."""

    def __init__(self, says: str = "guest", headers: dict[str, str] | None = None) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        told, more, answer = self.asked, headers or {}, says.encode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                told.append((self.command, self.path, dict(self.headers), body))
                self.send_response(302 if "Location" in more else 200)
                for name, value in {"Content-Type": "text/html", **more}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                return

        for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            setattr(Handler, f"do_{method}", Handler._any)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "{}:{}".format(*self._server.server_address[:2])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class House:
    """A door that is open, and machines behind it."""

    def __init__(self, folder: Path, options: Options | None = None) -> None:
        self.store = Store(f"sqlite:///{folder / 'cloud.db'}")
        self.door, self.machines = DoorStore(self.store), MachineStore(self.store)
        self.events = EventStore(self.store)
        self.late = 0.0
        """Seconds by which the door's clocks go ahead; the one that brakes stands still else."""
        self._version = 0
        self._wishes: dict[str, WantedMachine] = {}
        self.site = Site(
            self.door, options or Options(), THEME, self.wall, lambda: 5000.0 + self.late
        )
        self.server = DoorServer("127.0.0.1", 0, lambda: create_door(self.site))

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.store.close()

    @property
    def port(self) -> int:
        return self.server.address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wall(self) -> float:
        return time.time() + self.late

    def machine(
        self, address: str = "127.0.0.1:9", screen: str = "", phase: str = "ready"
    ) -> Machine:
        """A machine as the reconciler writes it down."""
        now = self.wall()
        made = Machine(
            new_key(), "talk/", ("aurora",), "demo-small", phase, now + 600, now, 128,
            address=address, token=secrets.token_hex(16), screen=screen,
        )  # type: ignore[arg-type]  # fmt: skip
        self.machines.intend(made, begun=True, at=now)
        return made

    def end(self, machine: Machine) -> None:
        self.machines.cross_out(machine.key)

    def code(self, machine: Machine, seconds: float = 600.0) -> str:
        """A code that the room shows from now on, as it reaches the store."""
        now = self.wall()
        code = codes.mint(machine.key, secrets.token_bytes(16))
        self._wishes[machine.key] = WantedMachine(
            machine.key, "talk/", "demo-small", now, now + 600,
            code=codes.seal(code, machine.key), code_until=now + seconds,
        )  # fmt: skip
        self._tell(now)
        return code

    def go_on(self, seconds: float) -> None:
        """Time passes; the room shows the same codes on, still good."""
        self.late += seconds
        now = self.wall()
        for key, wish in self._wishes.items():
            self._wishes[key] = msgspec.structs.replace(wish, code_until=now + 600)
        self._tell(now)

    def _tell(self, now: float) -> None:
        self._version += 1
        told = WantedMessage("aurora", self._version, now, tuple(self._wishes.values()))
        body = msgspec.json.encode(told)
        self.events.keep(Batch(snapshots=[Snapshot("aurora", self._version, now, body)]), now)


class Visitor:
    """A browser as far as a door sees one: it keeps cookies and says where a form came from."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.cookies: dict[str, str] = {}

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.house.port, timeout=20)
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {"Cookie": kept, "Origin": self.house.url}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            for line in answer.headers.get_all("Set-Cookie", []):
                name, _, value = line.partition(";")[0].partition("=")
                self.cookies[name] = value.strip('"')
            return answer.status, dict(answer.headers), answer.read().decode(errors="replace")
        finally:
            connection.close()

    def token(self) -> str:
        found = re.search(r'name="token" value="(\w+)"', self.ask("GET", "/?over")[2])
        assert found is not None
        return found[1]

    def enter(self, code: str, **headers: str) -> tuple[int, dict[str, str], str]:
        form = urlencode({"token": self.token(), "code": code}).encode()
        kind = "application/x-www-form-urlencoded"
        return self.ask("POST", "/enter", form, Content_Type=kind, **headers)

    def page(
        self, machine: Machine, path: str = "/", **more: str
    ) -> tuple[int, dict[str, str], str]:
        return self.ask("GET", f"/m/{place_of(machine.key)}/page{path}", **more)


def raw_answer(house: House, text: str) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", house.port), 20)) as raw:
        raw.sendall(text.encode())
        found = b""
        while b"\r\n\r\n" not in found and (part := raw.recv(4096)):
            found += part
        return found
