"""How a machine is asked whether it is ready, with sockets that say the right and the wrong."""

import contextlib
import http.server
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cloud_bridge.types import Machine
from cloud_bridge.vms.answers import answers
from cloud_bridge.vms.checks import HEARD_S, LINE_MAX, Check, Checks
from cloud_bridge.vms.files import LINE, Files
from tests.cloud_bridge.cases import machine
from tests.cloud_bridge.service import new_key
from tests.world.waiting import until, within


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve each connection with `answer` on a thread; yield the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                continue
            with peer:
                answer(peer)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join(10)
        listener.close()


def asked(check: Check, address: str) -> bool:
    checks = Checks({"small": check}, Files(Path("nowhere")), timeout_s=2.0)
    return checks.ready(machine("k", template="small", address=address, token="t"))


def silent(peer: socket.socket) -> None:
    peer.settimeout(0.01)


def greeting(peer: socket.socket) -> None:
    peer.sendall(b"SSH-2.0-here\r\n")


def test_tcp_means_that_the_guest_greets_not_that_something_accepts() -> None:
    with server(greeting) as address:
        assert asked(Check("tcp"), address)
    with server(silent) as address:
        assert not asked(Check("tcp"), address)
    assert not asked(Check("tcp"), "127.0.0.1:1")
    assert not asked(Check("tcp"), "")


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response({"/well": 200, "/moved": 302}.get(self.path, 404))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def test_http_means_200_at_the_path() -> None:
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
    address = f"127.0.0.1:{served.server_address[1]}"
    try:
        assert asked(Check("http", "/well"), address)
        assert not asked(Check("http", "/moved"), address)
        assert not asked(Check("http", "/"), address)
    finally:
        served.shutdown()
        served.server_close()
    with server(greeting) as other:
        assert not asked(Check("http", "/"), other)


class Guest:
    """The far end of a serial line, as QEMU has it."""

    def __init__(self, files: Files) -> None:
        self.machine = machine(new_key(), template="small", token="0123456789")
        path = files.folder(self.machine.key, self.machine.token) / LINE
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._peer: socket.socket | None = None

    def say(self, data: bytes) -> None:
        if self._peer is None:
            self._peer, _ = self._listener.accept()
        self._peer.sendall(data)

    def close(self) -> None:
        if self._peer is not None:
            self._peer.close()
        self._listener.close()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def files() -> Iterator[Files]:
    with tempfile.TemporaryDirectory() as folder:
        yield Files(Path(folder))


def test_a_line_counts_while_it_is_repeated(files: Files) -> None:
    clock, guest = Clock(), Guest(files)
    checks = Checks({"small": Check("serial")}, files, clock)
    ready = f"READY {guest.machine.key} 1.5\n".encode()
    try:
        assert not checks.ready(guest.machine)
        guest.say(b"hello\nREADY\nREADY somebody else\n" + ready[:20])
        assert not checks.ready(guest.machine)
        guest.say(ready[20:])
        until(lambda: checks.ready(guest.machine))
        clock.now = HEARD_S
        assert checks.ready(guest.machine)
        clock.now = HEARD_S + 1
        assert not checks.ready(guest.machine)
        guest.say(ready)
        until(lambda: checks.ready(guest.machine))
    finally:
        guest.close()
    assert not checks.ready(guest.machine)
    assert not checks.ready(guest.machine)
    checks.close()


def test_a_guest_that_never_ends_its_line_is_not_kept(files: Files) -> None:
    guest = Guest(files)
    checks = Checks({"small": Check("serial")}, files)
    assert not checks.ready(guest.machine)
    for _ in range(20):
        guest.say(b"x" * 50_000)
        assert not checks.ready(guest.machine)
    assert len(checks._lines[guest.machine.token].said) <= LINE_MAX
    checks.close()
    guest.close()


def test_a_machine_without_a_line_or_of_a_template_that_is_gone_is_asked_for_its_page(
    files: Files,
) -> None:
    checks = Checks({"small": Check("serial")}, files)
    nowhere: Machine = machine(new_key(), template="small", token="abcdefghij")
    assert not checks.ready(nowhere)
    assert not checks.ready(replace(nowhere, template="gone", address="127.0.0.1:1"))
    checks.close()


def dripping(peer: socket.socket) -> None:
    """Say a page's head a byte at a time, each well before anybody gives up on a byte."""
    over = time.monotonic() + 20
    with contextlib.suppress(OSError):
        peer.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while time.monotonic() < over:
            peer.sendall(b"x")
            time.sleep(0.05)


@pytest.mark.parametrize(
    "ask",
    [
        lambda address: answers(machine("k", address=address, token="t"), 0.3),
        lambda address: Checks({"small": Check("http", "/")}, Files(Path("nowhere")), 0.3).ready(
            machine("k", template="small", address=address, token="t")
        ),
    ],
    ids=["page", "http"],
)
def test_a_guest_that_answers_byte_after_byte_holds_nobody_up(ask: Callable[[str], bool]) -> None:
    with server(dripping) as address, within(5):
        assert not ask(address)
