"""A room whose journal cannot be written: it goes on plainly, says so, and recovers by itself."""

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.alone import Alone
from tests.faults.outside import proven
from tests.world.waiting import until

pytestmark = pytest.mark.slow
MEBIBYTES = 6


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder with a short name, on a disk of its own where that may be mounted."""
    with tempfile.TemporaryDirectory(prefix="rk-disk-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A small disk for the journal alone."""
    place = folder / "disk"
    place.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", f"size={MEBIBYTES}m", "rk-disk", str(place)]
    if os.getuid() != 0 or subprocess.run(line, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a small disk: run as root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Fill the disk up to its last byte; free it again at the end."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                if not file.write(bytes(size)):
                    size //= 2
            except OSError:
                size //= 2
    yield
    filler.unlink()


@contextmanager
def refused(room: Alone) -> Iterator[None]:
    """Let the system refuse every write of the room's process to a file, as a dying disk does."""
    pid = room.supervisor.pid("edge")
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@pytest.fixture
def freezable(folder: Path) -> Iterator[Path]:
    """A small disk in a file, as only a real file system can be frozen."""
    image, place = folder / "image", folder / "disk"
    place.mkdir()
    image.write_bytes(bytes(32 << 20))
    for line in (["mkfs.ext4", "-q", str(image)], ["mount", "-o", "loop", str(image), str(place)]):
        if os.getuid() != 0 or subprocess.run(line, capture_output=True, check=False).returncode:
            pytest.skip("needs to mount a disk from a file: run as root, with e2fsprogs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@contextmanager
def frozen(disk: Path) -> Iterator[None]:
    """Let every write to the disk hang, as a dying card does."""
    subprocess.run(["fsfreeze", "--freeze", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", str(disk)], check=True)


def plugins_act(room: Alone) -> None:
    room.meet("m1")
    until(lambda: "plugin:climate" in room.follower.poll().sources, 20, "a plugin acts")


def goes_on_plainly(room: Alone, says: str = "cannot be written") -> None:
    """While nothing can be written: says so, and warms the room as the calendar says."""
    until(lambda: room.health()["code"] == 503, 20, "the room says that it is not well")
    until(lambda: says in room.unwell("journal"), 5)
    head = room.follower.poll().head
    room.cancel("m1")
    until(lambda: room.warmth[-1:] == [18.0], 15, "the room is set back")
    room.meet("m2")
    until(lambda: room.warmth[-1:] > [18.0], 15, "the room is warmed for the next meeting")
    assert room.follower.poll().head == head


def recovers(room: Alone) -> None:
    head = room.follower.poll().head
    until(lambda: room.health()["code"] == 200, 15, "the room is well again")
    until(lambda: room.unwell("journal") == "", 5)
    until(lambda: room.follower.poll().head > head + 50, 10, "rows become durable")
    room.follower.sources.clear()
    room.cancel("m2")
    until(lambda: any(s.startswith("plugin:") for s in room.follower.poll().sources), 30, "plugins")
    assert room.follower.twice() == []
    assert room.supervisor.deaths("edge") == 0
    assert proven(room.journal) == ""


def test_a_full_disk(folder: Path, disk: Path) -> None:
    with Alone(folder, journal=f"{disk.name}/room.journal") as room:
        plugins_act(room)
        with full(disk):
            goes_on_plainly(room)
        recovers(room)


def test_a_disk_that_refuses_every_write(folder: Path) -> None:
    with Alone(folder) as room:
        plugins_act(room)
        with refused(room):
            goes_on_plainly(room)
        recovers(room)


def test_a_disk_that_does_not_answer(folder: Path, freezable: Path) -> None:
    with Alone(folder, journal=f"{freezable.name}/room.journal") as room:
        plugins_act(room)
        with frozen(freezable):
            goes_on_plainly(room, "has not answered")
        recovers(room)


def test_a_room_that_starts_on_a_full_disk(folder: Path, disk: Path) -> None:
    with Alone(folder, journal=f"{disk.name}/room.journal") as room:
        plugins_act(room)
        with full(disk):
            old = room.supervisor.pid("edge")
            room.supervisor.kill("edge")
            until(lambda: room.supervisor.pid("edge") != old, 20, "it is started again")
            goes_on_plainly(room, "check that the disk is there, not full")
        until(lambda: room.health()["code"] == 200, 40, "it has started anew, with its journal")
        until(lambda: room.follower.poll().sources[-1:] != [], 20)
        assert room.supervisor.deaths("edge") == 2
        assert proven(room.journal) == ""
