"""The real web server: streams push what changed, are capped, and end with the server."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from edge.contracts.signals import PeopleCounted
from edge.panel import PanelError
from edge.panel.pulse import Pulse
from edge.panel.server import PanelServer
from tests.world.door import OPTIONS, Door
from tests.world.scenes import free
from tests.world.waiting import until, within


@pytest.fixture
def door() -> Iterator[Door]:
    with Door(options=replace(OPTIONS, streams=2)) as opened:
        free(opened)
        yield opened.serve()


class Listener:
    """Reads an event stream from a socket, on a thread of its own."""

    def __init__(self, door: Door) -> None:
        assert door.server is not None
        self._socket = socket.create_connection(door.server.address, timeout=10)
        self._socket.sendall(b"GET /events HTTP/1.0\r\nHost: localhost\r\n\r\n")
        self.events: list[tuple[str, dict[str, str]]] = []
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def parts(self) -> list[str]:
        return [data["id"] for name, data in self.events if name == "part"]

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the server may have closed it first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._socket.close()

    def _read(self) -> None:
        name = ""
        with self._socket.makefile("rb") as lines:
            for raw in lines:
                line = raw.decode().strip()
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    self.events.append((name, json.loads(line[6:])))
        self.ended.set()


@contextlib.contextmanager
def stream(door: Door) -> Iterator[Listener]:
    listener = Listener(door)
    try:
        yield listener
    finally:
        listener.close()


def status(door: Door, path: str = "/events", **headers: str) -> int:
    assert door.server is not None
    connection = http.client.HTTPConnection(*door.server.address, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as answer:
            return answer.status
    finally:
        connection.close()


def test_a_stream_sends_everything_once_then_only_what_changed(door: Door) -> None:
    with stream(door) as listener:
        until(lambda: len(listener.parts()) == 8)
        assert listener.events[0][0] == "hello"
        door.say(PeopleCounted("camera", 5, 0.9))
        until(lambda: "gauges" in listener.parts()[8:])
        assert "day" not in listener.parts()[8:]
        until(lambda: any(name == "beat" for name, _ in listener.events))


def test_a_stream_beyond_the_cap_is_refused_and_pages_still_come(door: Door) -> None:
    with stream(door) as one, stream(door) as two:
        until(lambda: one.parts() and two.parts())
        assert status(door) == 503
        assert status(door, "/") == 200
    until(lambda: status(door) == 200, what="the seats are free again")


def test_another_site_cannot_take_the_seats(door: Door) -> None:
    assert status(door, **{"Sec-Fetch-Site": "cross-site"}) == 403


def test_many_listeners_cannot_starve_a_page(door: Door) -> None:
    with stream(door) as one:
        until(one.parts)
        with within(5):
            assert all(status(door, "/") == 200 for _ in range(5))


def test_the_server_stops_within_a_second_with_streams_open(door: Door) -> None:
    with stream(door) as listener:
        until(listener.parts)
        assert door.server is not None
        with within(1.0):
            door.server.stop()
        until(listener.ended.is_set)
    until(lambda: not any(t.name == "panel" for t in threading.enumerate()))


def test_a_port_that_is_taken_is_named(door: Door) -> None:
    assert door.server is not None
    port = door.server.address[1]
    with pytest.raises(PanelError, match=f"cannot listen on 127.0.0.1 port {port}"):
        PanelServer("127.0.0.1", port, door.app, Pulse())
