"""The small guest's files: the same bytes each time, made of what is installed."""

import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cloud_bridge.vms import guest
from cloud_bridge.vms.guest import cpio
from cloud_bridge.vms.guest.build import build, initramfs
from cloud_bridge.vms.guest.kernel import KernelError, find, unpack
from cloud_bridge.vms.guest.lz4 import Lz4Error, decompress
from tests.world.mosquitto import free_port
from tests.world.waiting import until


def legacy_frame(block: bytes) -> bytes:
    return b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block


def test_lz4_copies_literals_and_repeats() -> None:
    # 3 literals, then 9 bytes from 3 back; 15 + 5 literals at the end.
    block = b"\x35abc\x03\x00" + b"\xf0\x05" + b"x" * 20
    assert decompress(legacy_frame(block)) == b"abc" + b"abcabcabc" + b"x" * 20


def test_lz4_agrees_with_the_reference_tool() -> None:
    if shutil.which("lz4") is None:
        pytest.skip("needs the lz4 tool")
    data = Path(sys.executable).resolve().read_bytes()
    packed = subprocess.run(["lz4", "-l", "-9", "-c"], input=data, capture_output=True, check=True)
    # The kernel's build appends the length.
    assert decompress(packed.stdout + len(data).to_bytes(4, "little")) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no frame at all",
        legacy_frame(b"\x35abc\x09\x00"),
        legacy_frame(b"\x35abc\x00\x00"),
        legacy_frame(b"\x35abc\x03"),
        b"\x02\x21\x4c\x18\xff\xff\xff\x7fabc",
        b"\x02\x21\x4c\x18\x00\x00\x00\x00abcde",
    ],
)
def test_lz4_that_is_broken_is_an_error(data: bytes) -> None:
    with pytest.raises(Lz4Error):
        decompress(data)


def test_a_kernel_without_header_or_at_all_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="boot header"):
        unpack(b"\0" * 2048)
    with pytest.raises(KernelError, match="install"):
        find(tmp_path, tmp_path)


def test_the_newest_cloud_kernel_is_taken(tmp_path: Path) -> None:
    for release in ("6.1.0-9-cloud-amd64", "6.1.0-10-cloud-amd64", "6.9.0-1-amd64"):
        (tmp_path / f"vmlinuz-{release}").touch()
        (tmp_path / release).mkdir()
        (tmp_path / release / "modules.dep").touch()
    (tmp_path / "vmlinuz-7.0-cloud-amd64").touch()  # its modules are gone
    assert find(tmp_path, tmp_path).release == "6.1.0-10-cloud-amd64"


def test_an_archive_is_read_by_cpio_and_the_same_each_time(tmp_path: Path) -> None:
    entries = [
        cpio.directory("etc"),
        cpio.regular("etc/a", b"hello", 0o755),
        cpio.symlink("etc/b", "a"),
    ]
    data = cpio.archive(entries)
    assert data == cpio.archive(entries)
    if shutil.which("cpio") is None:
        pytest.skip("needs the cpio tool")
    subprocess.run(["cpio", "-i", "--quiet"], input=data, cwd=tmp_path, check=True)
    assert (tmp_path / "etc" / "b").read_bytes() == b"hello"
    assert (tmp_path / "etc" / "a").stat().st_mode & 0o777 == 0o755


def test_building_twice_changes_nothing_and_damage_is_mended(guest: Path, tmp_path: Path) -> None:
    copy = tmp_path / "guest"
    shutil.copytree(guest, copy)
    before = {path.name: path.stat().st_mtime_ns for path in copy.iterdir()}
    build(copy)
    assert {path.name: path.stat().st_mtime_ns for path in copy.iterdir()} == before
    whole = (copy / "initramfs").read_bytes()
    (copy / "initramfs").write_bytes(whole[:1000])
    build(copy)
    assert (copy / "initramfs").read_bytes() == whole
    assert whole == initramfs(find(), Path("/bin/busybox"))
    assert json.loads((copy / "manifest.json").read_text())["kernel"] == find().release


@contextmanager
def page_of(title: str) -> Iterator[int]:
    """The guest's own agent, serving a machine's page on a free port of this host."""
    if platform.machine() != "x86_64":
        pytest.skip("needs an amd64 processor, to run the guest's agent here")
    port = free_port()
    words = [guest.__path__[0] + "/agent", str(port), "page", "KEY", "TOKEN", "aurora", "demo%40x"]
    agent = subprocess.Popen([*words, title], start_new_session=True)
    try:
        assert agent.wait(30) == 0  # who serves has begun then, and stays
        yield port
    finally:
        os.killpg(agent.pid, signal.SIGKILL)


def said(port: int, request: bytes) -> bytes:
    """Return all that is answered until the other end hangs up."""
    with socket.create_connection(("127.0.0.1", port), 30) as visit:
        visit.sendall(request)
        answer = b""
        while more := visit.recv(65536):
            answer += more
        return answer


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("", ""),
        ("Plans%20%26%20%3Cb%3Efun%3C%2Fb%3E", "<p>Plans &#38; &#60;b&#62;fun&#60;/b&#62;</p>"),
        ("caf%C3%A9%2", "<p>café%2</p>"),
        ("%zz%%41%4", "<p>%zz%A%4</p>"),
        ("%22%27" * 2000, "<p>" + "&#34;&#39;" * 100),
    ],
)
def test_the_page_shows_a_title_as_text(title: str, shown: str) -> None:
    with page_of(title) as port:
        head, _, page = said(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").partition(b"\r\n\r\n")
        assert f"Content-Length: {len(page)}".encode() in head
        text = page.decode()
        assert f"<h1>Machine of room aurora</h1>{shown}" in text
        end = "<p>Meeting <code>demo%40x</code></p><p>Key <code>KEY</code></p></html>\n"
        assert text.endswith(end)


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (b"GET /ready HTTP/1.0\r\n\r\n", b"200 OK", b"KEY TOKEN\n"),
        (b"GET /ready?x HTTP/1.1\r\nA: " + b"y" * 3000 + b"\r\n\r\n", b"200 OK", b"KEY TOKEN\n"),
        (b"HEAD /ready HTTP/1.1\r\n\r\n", b"200 OK", b""),
        (b"GET /index.html\r\n\r\n", b"200 OK", None),
        (b"GET /../etc/host_key HTTP/1.1\r\n\r\n", b"404 Not Found", b""),
        (b"GET \r\n\r\n", b"404 Not Found", b""),
        (b"POST /ready HTTP/1.1\r\n\r\n", b"405 Method Not Allowed", b""),
        (b"\r\n\r\n", b"405 Method Not Allowed", b""),
    ],
)
def test_a_request_is_answered_or_refused(
    request_: bytes, status: bytes, body: bytes | None
) -> None:
    with page_of("") as port:
        head, _, page = said(port, request_).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + status + b"\r\n")
        assert body is None or page == body


def test_visitors_who_are_slow_or_endless_keep_nobody_waiting() -> None:
    with page_of("") as port, ExitStack() as stack:
        for _ in range(3):  # one fewer than there are servers
            stack.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(b"GET /")
        assert said(port, b"GET /ready HTTP/1.1\r\n\r\n").endswith(b"KEY TOKEN\n")
        with contextlib.suppress(ConnectionError):
            assert said(port, b"x" * 100_000) == b""
        with contextlib.suppress(ConnectionError):
            assert said(port, b"\0" * 5000) == b""
        assert said(port, b"GET /ready HTTP/1.1\r\n\r\n").endswith(b"KEY TOKEN\n")


def test_visitors_who_ask_and_vanish_take_no_server_with_them() -> None:
    with page_of("") as port:
        (servers,) = {os.getpgid(pid) for pid in serving(port)}
        os.killpg(servers, signal.SIGSTOP)  # so that each has vanished before it is answered
        for _ in range(8):
            with socket.create_connection(("127.0.0.1", port), 30) as visit:
                visit.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                visit.sendall(b"GET / HTTP/1.1\r\n\r\n")
                visit.shutdown(socket.SHUT_WR)
        os.killpg(servers, signal.SIGCONT)
        assert said(port, b"GET /ready HTTP/1.1\r\n\r\n").endswith(b"KEY TOKEN\n")
        assert len(serving(port)) == 4


@pytest.mark.parametrize(("line", "pool"), [("", True), ("line", True), ("line", False)])
def test_an_agent_that_cannot_begin_leaves_nobody_on_its_port(
    tmp_path: Path, line: str, pool: bool
) -> None:
    if platform.machine() != "x86_64" or os.getuid() != 0:
        pytest.skip("needs an amd64 processor and root, to run the guest's agent in a cage")
    shutil.copy(guest.__path__[0] + "/agent", tmp_path / "agent")
    for name in ("etc", "dev"):
        (tmp_path / name).mkdir()
    for name in ((line,) if line else ()) + (("dev/urandom",) if pool else ()):
        (tmp_path / name).touch()  # no device: what is asked of it is refused
    port = free_port()
    command = ["chroot", str(tmp_path), "/agent", str(port), "/line"]
    said_why = b"agent: random pool\n" if line and pool else b"agent: device\n"
    try:
        for _ in range(5):
            agent = subprocess.run(command, capture_output=True, timeout=30, check=False)
            assert (agent.returncode, agent.stderr) == (1, said_why)
        until(lambda: not serving(port), what="nobody serves")
    finally:
        for left in serving(port):
            os.kill(left, signal.SIGKILL)


def serving(port: int) -> list[int]:
    """Return the processes that serve a page there."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            name, number = (entry / "cmdline").read_bytes().split(b"\0")[:2]
            is_agent = name.endswith(b"/agent") and number == str(port).encode()
            if is_agent and ") Z" not in (entry / "stat").read_text():
                found.append(int(entry.name))
    return found
