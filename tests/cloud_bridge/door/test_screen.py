"""The guest's screen behind the door: the machine's own, for its visitor alone, while it lives."""

import base64
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloud_bridge.door.site import place_of
from cloud_bridge.types import Machine
from tests.cloud_bridge.door.world import Guest, House, Visitor
from tests.world.waiting import within


class Vnc:
    """A unix socket that says it is a screen, and repeats what it hears."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self.path = str(path)
        self.gone = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            while True:
                one, _ = self._socket.accept()
                one.sendall(b"RFB 003.008\n")
                while part := one.recv(4096):
                    one.sendall(part)
                self.gone.set()
        except OSError:
            return

    def close(self) -> None:
        self._socket.close()


def _join(house: House, visitor: Visitor, path: str, **headers: str) -> tuple[socket.socket, bytes]:
    key = base64.b64encode(os.urandom(16)).decode()
    sent = {
        "Host": f"127.0.0.1:{house.port}", "Origin": house.url, "Upgrade": "websocket",
        "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
        "Cookie": "; ".join(f"{n}={v}" for n, v in visitor.cookies.items()),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    raw = socket.create_connection(("127.0.0.1", house.port), 20)
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    raw.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
    found = b""
    while b"\r\n\r\n" not in found and (part := raw.recv(1)):
        found += part
    return raw, found


def _frame(raw: socket.socket) -> bytes:
    first, size = raw.recv(1), raw.recv(1)
    return b"" if not first else raw.recv(size[0] & 127)


@dataclass
class Place:
    """A machine with a screen, and who has entered it."""

    house: House
    vnc: Vnc
    machine: Machine
    visitor: Visitor

    def join(self, more: str = "", **headers: str) -> tuple[socket.socket, bytes]:
        """Return a connection to the screen, and the head of what was answered."""
        return _join(
            self.house, self.visitor, f"/m/{place_of(self.machine.key)}/vnc{more}", **headers
        )


@pytest.fixture
def place(house: House, tmp_path: Path) -> Iterator[Place]:
    vnc = Vnc(tmp_path / "vnc")
    machine = house.machine(screen=vnc.path)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))
    yield Place(house, vnc, machine, visitor)
    vnc.close()


def test_a_screen_is_the_machines_own_and_ends_with_it(place: Place) -> None:
    raw, head = place.join()
    with closing(raw):
        assert b" 101 " in head
        assert _frame(raw) == b"RFB 003.008\n"
        raw.sendall(b"\x82\x83\0\0\0\0abc")
        assert _frame(raw) == b"abc"
        with within(15):
            place.house.end(place.machine)
            while _frame(raw):
                continue
        assert place.vnc.gone.wait(5)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": ""}, 403),
        ({"Cookie": "roomkeeper_door=" + "0" * 64}, 302),
        ({"Cookie": ""}, 302),
        ({"Host": "evil.example"}, 421),
    ],
)
def test_nobody_else_joins_a_screen(place: Place, headers: dict[str, str], status: int) -> None:
    raw, head = place.join(**headers)
    raw.close()
    assert f" {status} ".encode() in head


@pytest.mark.parametrize(
    "more",
    ["?host=127.0.0.1&port=22", "/127.0.0.1:22", "?path=/run/libvirt/libvirt-sock", "?token=x"],
)
def test_a_websocket_reaches_no_other_host(place: Place, more: str) -> None:
    raw, head = place.join(more)
    with closing(raw):
        # Either there is no such address, or what is asked besides is not looked at.
        assert b" 404 " in head or _frame(raw) == b"RFB 003.008\n"


def test_a_machine_without_a_screen_has_none(house: House, guest: Guest) -> None:
    machine = house.machine(guest.address)
    visitor = Visitor(house)
    visitor.enter(house.code(machine))
    for path in ("vnc", "screen"):
        assert visitor.ask("GET", f"/m/{place_of(machine.key)}/{path}")[0] == 404
