"""The door's listener: who dawdles or hangs holds up nobody, and cookies keep to TLS."""

import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web

from cloud_bridge.door import DoorError
from cloud_bridge.door import server as door_server
from cloud_bridge.door.site import Options
from tests.cloud_bridge.door.world import Guest, House, Visitor
from tests.cloud_bridge.service import ROOT, Running, write_config
from tests.world.mosquitto import free_port
from tests.world.waiting import until


def test_who_dawdles_is_let_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_server, "HEAD_S", 0.5)
    with closing(socket.create_connection(("127.0.0.1", house.port), 20)) as slow:
        try:
            slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            assert slow.recv(100) == b""
        except ConnectionError:  # let go before it had begun
            return


def test_a_door_that_does_not_come_up_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_server, "START_S", 0.05)
    free = threading.Event()

    def make() -> web.Application:
        free.wait(60)
        return web.Application()

    server = door_server.DoorServer("127.0.0.1", 0, make)
    try:
        with pytest.raises(DoorError, match=r"not up within 0\.05 s"):
            server.start()
    finally:
        free.set()
    until(lambda: not server._thread.is_alive(), what="it has given up")
    assert server.address == ("", 0), "and listens nowhere"


def test_a_door_that_cannot_be_made_is_an_error() -> None:
    def make() -> web.Application:
        raise RuntimeError("no theme")

    with pytest.raises(DoorError, match="no theme"):
        door_server.DoorServer("127.0.0.1", 0, make).start()


def test_a_door_whose_port_is_taken_says_so_and_ends(tmp_path: Path) -> None:
    config = write_config(tmp_path, free_port(), "qemu:///embed?root=unused")
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        health = f"[health]\ndoor_port = {free_port()}"
        text = config.read_text().replace("[health]", health)
        config.write_text(
            f'{text}\n[door]\nport = {port}\n[admin]\ntheme = "{ROOT}/config/theme"\n'
        )
        with Running("door", config) as door:
            assert door.process is not None
            assert door.process.wait(60) == 1
    assert f"port {port}" in door.log.read_text()


def test_many_that_hang_shut_out_nobody_for_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_server, "HEAD_S", 1.0)
    monkeypatch.setattr(door_server, "CONNECTIONS", 20)
    hanging = [socket.create_connection(("127.0.0.1", house.port), 20) for _ in range(40)]
    try:
        until(lambda: _answers(house), what="somebody is let in again")
    finally:
        for each in hanging:
            each.close()


def _answers(house: House) -> bool:
    try:
        return Visitor(house).ask("GET", "/")[0] == 200
    except OSError:
        return False


def test_behind_tls_cookies_keep_to_it(tmp_path: Path, guest: Guest) -> None:
    with House(tmp_path, Options(tls=True)) as house:
        machine = house.machine(guest.address)
        visitor = Visitor(house)
        status, headers, _ = visitor.enter(house.code(machine))
        assert status == 303
        assert "Secure" in headers["Set-Cookie"]
        assert "__Host-roomkeeper_door" in visitor.cookies
