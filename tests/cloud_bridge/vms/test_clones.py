"""What is the copies' own: identities, templates, a memory that is full, records."""

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from cloud_bridge.types import Machine, Template
from cloud_bridge.vms.accel import tsc_khz
from cloud_bridge.vms.answers import answers
from cloud_bridge.vms.base import Limits, VmError, VmRefusedError
from cloud_bridge.vms.clones import CloneProvider, identity, monitor, templates
from cloud_bridge.vms.clones.command import Shape, line
from cloud_bridge.vms.clones.lines import Lines
from cloud_bridge.vms.clones.monitor import Monitor
from cloud_bridge.vms.clones.processes import end, running, start
from cloud_bridge.vms.clones.record import Records
from cloud_bridge.vms.clones.templates import MemoryFullError, Templates
from cloud_bridge.vms.domain import Host
from cloud_bridge.vms.image import Image
from tests.cloud_bridge.service import ROOT, new_key
from tests.cloud_bridge.vms.case import processes, spec
from tests.cloud_bridge.vms.case_clones import folders
from tests.cloud_bridge.vms.case_libvirt import images
from tests.world.waiting import until

slow = [pytest.mark.slow, pytest.mark.timeout(900)]
EMULATOR = "/usr/bin/qemu-system-x86_64"


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[Path, Path]]:
    with folders() as found:
        yield found


@pytest.fixture(scope="module")
def provider(places: tuple[Path, Path], guest: Path) -> CloneProvider:
    return CloneProvider(*places, "ours", images(guest), Limits())


def asked(folder: Path, key: str, *lines: str) -> list[str]:
    """Return what a machine's agent answers on a connection of its own."""
    with Lines(folder / f"{key}.agent", 120) as agent:
        said = []
        for each in lines:
            agent.send(each)
            said.append(agent.read())
        return said


def who(folder: Path, key: str) -> identity.Self:
    with Lines(folder / f"{key}.agent", 120) as agent:
        agent.send("who")
        return identity.read(agent)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_copies_differ_in_all_that_must_be_their_own(
    provider: CloneProvider, places: tuple[Path, Path]
) -> None:
    folder, _ = places
    seen: list[tuple[Machine, identity.Self]] = []
    for _ in range(4):
        machine = provider.ensure(spec(new_key()))
        until(lambda machine=machine: answers(machine), 120, "its page")  # type: ignore[misc]
        with urlopen(f"http://{machine.address}/", timeout=30) as page:
            assert b"<p>Title</p>" in page.read()
        # Two connections after the provider's: the agent lives on when one is closed.
        first, second = who(folder, machine.key), who(folder, machine.key)
        assert first.fresh != second.fresh
        assert abs(time.time() - second.wall) < 30
        assert second.machine_id == machine.key.replace("-", "")
        seen.append((machine, second))
        provider.delete(machine.key)
    for one in ("machine_id", "hostname", "host_key", "fresh"):
        assert len({getattr(became, one) for _, became in seen}) == 4, one
    assert len({machine.token for machine, _ in seen}) == 4


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_copies_that_are_told_nothing_are_equal(
    provider: CloneProvider, places: tuple[Path, Path]
) -> None:
    """What the identities above would be without being renewed."""
    folder, _ = places
    shape = provider._shape("small", 128, 1)
    saved = provider._templates.get(shape)
    keys = set()
    for _ in range(2):
        key = new_key()
        start(line(shape, "plain", folder / key, 0, "copy", saved.ram), folder / f"{key}.log")
        with Lines(folder / f"{key}.agent", 120) as agent:
            with Lines(folder / f"{key}.qmp", 120) as monitor:
                Monitor(monitor).load(saved.state)
            agent.send("who")
            keys.add(identity.read(agent).host_key)
        for one in running(folder):
            end(one, folder)
    assert len(keys) == 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_agent_refuses_what_is_no_identity_and_changes_nothing(
    provider: CloneProvider, places: tuple[Path, Path]
) -> None:
    folder, _ = places
    machine = provider.ensure(spec(new_key()))
    before = who(folder, machine.key)
    held = Records(folder).get(machine.key)
    assert held is not None
    good = identity.wish(held.tag, 1e9)
    bad = {
        "nonsense": "command",
        "renew": "command",
        "renew x": "word",
        "renew seed=00": "time",
        good.replace("seed=", "seed=0"): "seed",
        good.replace("time=", "time=x"): "time",
        good.replace("machine-id=", "machine-id=zz"): "machine-id",
        good.replace("hostname=", "hostname=-"): "hostname",
        good.replace("hostname=", "hostname=;reboot"): "hostname",
        "x" * 6000: "length",
    }
    said = asked(folder, machine.key, *bad)
    assert said == [f"error {what}" for what in bad.values()]
    after = who(folder, machine.key)
    assert (after.machine_id, after.hostname) == (before.machine_id, before.hostname)
    assert after.host_key == before.host_key
    assert after.wall > before.wall
    until(lambda: answers(machine), 120, "its page")
    provider.delete(machine.key)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_full_memory_is_told_and_the_machine_is_booted(guest: Path, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small memory")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(small)], check=True)
    try:
        with tempfile.TemporaryDirectory(prefix="rk-") as folder:
            provider = CloneProvider(Path(folder), small, "ours", images(guest), Limits())
            with pytest.raises(MemoryFullError, match="no room"):
                provider.prepare({"small": (128, 1)})
            machine = provider.ensure(spec(new_key()))
            until(lambda: answers(machine), 300, "its page")
            assert who(Path(folder), machine.key).machine_id == machine.key.replace("-", "")
            provider.delete(machine.key)
            assert not processes(machine.key)
        assert not [each for each in small.rglob("*") if each.name != "lock" and each.is_file()]
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_template_whose_builder_was_killed_is_not_used_and_leaves_no_guest(guest: Path) -> None:
    with folders() as (folder, memory):
        told = json.dumps([str(folder), str(memory), str(guest)])
        code = (
            "import json, time; from pathlib import Path; from cloud_bridge.vms.clones import *;"
            "from cloud_bridge.vms.clones.monitor import Monitor;"
            # However late the kill comes, it is not done by then.
            "Monitor.save = lambda *_: time.sleep(1000);"
            "from cloud_bridge.vms.base import Limits; from cloud_bridge.vms.image import Image;"
            f"f, m, g = map(Path, json.loads({told!r}));"
            "i = {'small': Image(g / 'vmlinux', g / 'initramfs')};"
            "CloneProvider(f, m, 'ours', i, Limits()).prepare({'small': (128, 1)})"
        )
        builder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        try:
            until(lambda: processes("roomkeeper-template"), 120, "a template's guest")
            mine = [pid for pid in processes(str(memory)) if processes("roomkeeper-template")]
        finally:
            builder.send_signal(signal.SIGKILL)
            builder.wait()
        until(lambda: not set(mine) & set(processes(str(memory))), 30, "its guest gone")
        provider = CloneProvider(folder, memory, "ours", images(guest), Limits())
        shape = provider._shape("small", 128, 1)
        assert provider._templates.find(shape.key()) is None
        machine = provider.ensure(spec(new_key()))
        until(lambda: answers(machine), 120, "its page")
        provider.delete(machine.key)
        assert not list(memory.rglob("*.part"))
        mark = provider._templates._mark
        assert not list(Path(tempfile.gettempdir()).glob(f"{mark}*")), "its sockets' folder"


@pytest.mark.parametrize("room", ["unlimited", "0"])
def test_a_state_is_saved_whole_or_not_at_all(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """QEMU says that it is saved when it has sent it, though nobody could write it."""
    monkeypatch.setattr(monitor, "WRITE_S", 0.5)
    with tempfile.TemporaryDirectory(prefix="rk-") as folder:
        assert saved(Path(folder), room) is (room != "0")


def saved(folder: Path, room: str) -> bool:
    """Return whether there is a state after a QEMU whose files hold so many bytes saved one."""
    sockets, state = folder / "qmp", folder / "state"
    command = [
        "prlimit", f"--fsize={room}", EMULATOR, "-M", "none", "-nodefaults", "-display", "none",
        "-qmp", f"unix:{sockets},server=on,wait=off",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as machine:
        try:
            with Lines(sockets, 60.0) as said:
                if room == "0":
                    with pytest.raises(VmError, match="is there room"):
                        Monitor(said).save(state)
                else:
                    Monitor(said).save(state)
        finally:
            machine.kill()
    return state.exists()


PAGES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + bytes(200_000),
    b"\0" * 100_000,
    b"",
]


@pytest.mark.parametrize("page", PAGES, ids=["huge", "chunk", "long", "rubbish", "none"])
def test_a_page_that_misbehaves_stops_no_template(page: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    visit, _ = server.accept()
                    with visit, contextlib.suppress(OSError):
                        visit.recv(4096)
                        visit.sendall(page)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            templates._visit(server.getsockname()[1])
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(30)


def test_a_qemu_that_cannot_be_watched_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def full(pid: int) -> int:
        begun.append(pid)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", full)
    with pytest.raises(VmError, match="Too many open files"):
        start(["sleep", "1000"], tmp_path / "log")
    assert not Path(f"/proc/{begun[0]}").exists()


def shape_of(folder: Path, emulator: str = EMULATOR) -> Shape:
    for name in ("vmlinux", "initramfs"):
        (folder / name).write_bytes(name.encode())
    image = Image(folder / "vmlinux", folder / "initramfs")
    return Shape(image, Host("tcg", emulator, 2_000_000), 128, 1)


def test_a_template_is_another_when_anything_it_depends_on_is(tmp_path: Path) -> None:
    shape = shape_of(tmp_path)
    first = shape.key()
    assert shape.key() == first
    assert replace(shape, host=replace(shape.host, tsc_khz=tsc_khz())).key() == first
    others = [
        replace(shape, memory_mib=256),
        replace(shape, vcpus=2),
        replace(shape, image=replace(shape.image, board="q35")),
        replace(shape, image=replace(shape.image, append="debug")),
        replace(shape, image=replace(shape.image, port=8080)),
        replace(shape, host=replace(shape.host, accel="kvm")),
    ]
    qemu = tmp_path / "qemu"
    for version in ("8.2.0", "9.0.0"):
        qemu.write_text(f"#!/bin/sh\necho QEMU emulator version {version}\n")
        qemu.chmod(0o755)
        assert replace(shape, host=replace(shape.host, emulator=str(qemu))).key() not in first
    keys = {first, *(other.key() for other in others)}
    assert len(keys) == 7
    (tmp_path / "initramfs").write_bytes(b"another")
    assert shape.key() not in keys


def test_only_templates_that_nobody_needs_are_removed(tmp_path: Path) -> None:
    templates = Templates(tmp_path / "t")
    assert templates.tidy(["a"], []) == []
    for name in ("needed", "used", "old", "half.part"):
        (tmp_path / "t" / name).mkdir(parents=True)
        (tmp_path / "t" / name / "ram").touch()
    assert templates.find("needed") is None
    (tmp_path / "t" / "needed" / "state").touch()
    assert templates.find("needed") is not None
    assert sorted(templates.tidy(["needed"], ["used", ""])) == ["half.part", "old"]
    left = {each.name for each in (tmp_path / "t").iterdir() if each.is_dir()}
    assert left == {"needed", "used"}


def test_a_damaged_record_is_none_and_paths_that_are_too_long_are_refused(
    tmp_path: Path, guest: Path
) -> None:
    provider = CloneProvider(tmp_path, tmp_path / "m", "ours", images(guest), Limits())
    for name, text in (("a", "{"), (new_key(), "{}"), (new_key(), "x" * 100_000)):
        (tmp_path / f"{name}.json").write_text(text)
    assert provider.list() == []
    with pytest.raises(VmRefusedError, match="no UUID"):
        provider.renew("../a", 1.0)
    with pytest.raises(VmRefusedError, match="shorter folder"):
        CloneProvider(tmp_path / ("x" * 100), tmp_path, "ours", {}, Limits())
    with pytest.raises(VmRefusedError, match="no image"):
        provider.ensure(spec(new_key(), template=Template("nothing", 128)))
