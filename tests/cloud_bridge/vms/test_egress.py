"""The network of a guest that may reach something: process and judgement, without a guest."""

import os
import signal
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_bridge.vms.base import VmError
from cloud_bridge.vms.egress import Endpoint, endpoints
from cloud_bridge.vms.egress.relay import permitted
from cloud_bridge.vms.files import STRAY_S, Files
from tests.cloud_bridge.service import new_key
from tests.world.mosquitto import free_port
from tests.world.waiting import until

TOKEN = "0123456789abcdef"


@pytest.fixture
def files() -> Iterator[Files]:
    with tempfile.TemporaryDirectory() as folder:  # a socket's path has 107 characters at most
        yield Files(Path(folder) / "f")


def test_each_host_has_one_address_inside() -> None:
    assert endpoints(("a:1", "b:2", "a:3")) == (
        Endpoint("a", 1, "10.0.2.101"),
        Endpoint("b", 2, "10.0.2.102"),
        Endpoint("a", 3, "10.0.2.101"),
    )


INWARD = ("127.0.0.1", "127.8.8.8", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1%lo")


@pytest.mark.parametrize("address", [*INWARD, "::ffff:127.0.0.1", "::ffff:169.254.169.254"])
def test_a_name_never_leads_to_this_host_or_the_metadata_address(address: str) -> None:
    assert not permitted("harmless.example.org", address)


def test_an_address_that_is_written_out_is_meant() -> None:
    assert permitted("127.0.0.1", "127.0.0.1")
    assert permitted("git.example.org", "192.0.2.7")
    assert not permitted("127.0.0.1", "127.0.0.2")


def frame(sock: socket.socket) -> bytes:
    """Return one frame from the network's socket."""

    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = sock.recv(count - len(data))
            assert more, "the network ended"
            data += more
        return data

    return exactly(struct.unpack(">I", exactly(4))[0])


def who_has(address: str) -> bytes:
    """Return the ARP question of a guest."""
    mac, us = bytes.fromhex("525400123456"), socket.inet_aton("10.0.2.15")
    head = b"\xff" * 6 + mac + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1)
    data = head + mac + us + b"\0" * 6 + socket.inet_aton(address)
    return struct.pack(">I", len(data)) + data


def processes(folder: Path) -> list[int]:
    mark = str(folder).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def connected(wire: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(str(wire))
    return sock


def test_the_network_lives_as_long_as_its_guest(files: Files) -> None:
    key = new_key()
    folder = files.folder(key, TOKEN)
    wire = files.network(key, folder, (free_port(), 80), ("192.0.2.7:443",))
    assert len(processes(folder)) == 1
    with connected(wire) as guest:
        guest.sendall(who_has("10.0.2.101"))
        assert socket.inet_aton("10.0.2.101") in frame(guest)
        with pytest.raises(ConnectionError):  # one guest, and no second one
            connected(wire).recv(1)
    until(lambda: not processes(folder), 30, "its end")
    until(lambda: list(folder.iterdir()) == [], 10)
    files.remove(key)
    assert list(files.root.iterdir()) == []


@pytest.mark.parametrize("nonsense", [b"\xff" * 64, b"\0\0\0\0" * 9, b"\0\0\0\x05abcde" * 100])
def test_nonsense_ends_that_guests_network_or_is_dropped(files: Files, nonsense: bytes) -> None:
    key = new_key()
    folder = files.folder(key, TOKEN)
    wire = files.network(key, folder, (free_port(), 80), ("192.0.2.7:443",))
    with connected(wire) as guest:
        guest.sendall(nonsense)
        if nonsense[0] == 0:
            guest.sendall(who_has("10.0.2.2"))
            assert socket.inet_aton("10.0.2.2") in frame(guest)
        else:
            assert guest.recv(1) == b""
    until(lambda: not processes(folder), 30, "its end")


def test_a_taken_port_and_a_long_path_are_errors_that_say_so(files: Files, tmp_path: Path) -> None:
    key = new_key()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        with pytest.raises(VmError, match=f"port {port} of the loopback is taken"):
            files.network(key, files.folder(key, TOKEN), (port, 80), ("a:1",))
    deep = Files(tmp_path / ("x" * 100))
    with pytest.raises(VmError, match="too long"):
        deep.network(key, deep.folder(key, TOKEN), (free_port(), 80), ("a:1",))


def test_what_long_gone_machines_left_is_removed_and_nothing_else(files: Files) -> None:
    alive, dead, new = new_key(), new_key(), new_key()
    for key in (alive, dead, new):
        files.folder(key, TOKEN)
    (files.root / "mine").mkdir()
    for key in (alive, dead, "mine"):
        os.utime(files.root / key, (1.0, 1.0))
    assert files.tidy({alive}) == [dead]
    assert {path.name for path in files.root.iterdir()} == {alive, new, "mine"}
    assert STRAY_S >= 60
    assert Files(files.root / "none").tidy(()) == []


def test_a_network_that_is_killed_leaves_nothing_that_hinders(files: Files) -> None:
    key = new_key()
    folder = files.folder(key, TOKEN)
    port = free_port()
    files.network(key, folder, (port, 80), ("a:1",))
    for pid in processes(folder):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not processes(folder), 10)
    files.remove(key)
    files.network(key, files.folder(key, TOKEN), (port, 80), ("a:1",))
    for pid in processes(folder):
        os.kill(pid, signal.SIGTERM)
    until(lambda: not processes(folder), 10)
