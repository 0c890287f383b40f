"""Machines on a host that runs out of disk or memory, and whose database is wiped under them.

`make faults` runs these; `make test` leaves them out. As in test_machines.py everything is seen
from outside, with a stranger's machine beside ours.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cloud_bridge.vms.case import processes
from tests.faults.place import LONG_S, Place, cleared, wish
from tests.world.libvirtd import Libvirtd
from tests.world.postgres import Postgres
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]
COPIED = """
[templates.quick]
provider = "clone"
memory_mib = 128
lead_s = 60.0
grace_s = 1.0
boot_s = 90.0
[clones]
folder = "{folder}"
memory = "{memory}"
"""


@contextmanager
def small_disk(place: Path, mebibytes: int) -> Iterator[Callable[[bool], None]]:
    """Mount a small disk; call what is given with True to fill it, with False to free it."""
    place.mkdir(parents=True, exist_ok=True)
    line = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "rk-disk", str(place)]
    if os.getuid() != 0 or subprocess.run(line, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a small disk: run as root")
    filler = place / "filler"

    def fill(full: bool) -> None:
        if not full:
            filler.unlink()
            return
        with filler.open("wb", buffering=0) as file:
            size = 1 << 20
            while size:
                try:
                    size = size if file.write(bytes(size)) else size // 2
                except OSError:
                    size //= 2

    try:
        yield fill
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_under_the_service_leaves_machines_alone(
    home: Path, libvirtd: Libvirtd
) -> None:
    there, new = wish(), wish()
    with (
        small_disk(home / "disk", 4) as fill,
        Place(home, libvirtd, store="disk/cloud.db") as place,
    ):
        place.room.say(there)
        until(lambda: place.room.ready(there.key), LONG_S, "ready")
        machine = place.one(there.key)
        fill(True)
        place.room.say(there, new)
        until(lambda: "full" in place.ingest.log.read_text(), LONG_S, "it says that it is full")
        assert place.one(there.key) == machine
        assert place.orphans(there.key) == []
        fill(False)
        until(lambda: place.room.ready(there.key, new.key), LONG_S, "goes on by itself")
        assert place.one(there.key) == machine
        cleared(place)


def test_a_full_disk_under_the_hypervisor_makes_no_orphan(home: Path, libvirtd: Libvirtd) -> None:
    there, new = wish(), wish()
    own = Libvirtd()
    with small_disk(own.folder / "run-libvirt", 4) as fill, own, Place(home, own) as place:
        place.room.say(there)
        until(lambda: place.room.ready(there.key), LONG_S, "ready")
        machine = place.one(there.key)
        fill(True)
        place.room.say(there, new)
        until(lambda: place.room.phase(new.key) == "failed" or place.room.detail(new.key), LONG_S)
        assert place.one(there.key) == machine
        fill(False)
        until(lambda: place.room.ready(there.key, new.key), LONG_S, "goes on by itself")
        assert place.one(there.key) == machine
        assert place.orphans(there.key, new.key) == []
        cleared(place)


def test_memory_that_is_full_boots_what_cannot_be_copied_and_leaves_none(
    home: Path, libvirtd: Libvirtd
) -> None:
    """As /dev/shm when it is full: a folder in memory of its own, as the host's is others' too."""
    copied, other = wish(template="quick"), wish()
    memory = home / "memory"
    templates = COPIED.format(folder=home / "copies", memory=memory)
    with small_disk(memory, 8) as fill:
        fill(True)
        with Place(home, libvirtd, templates=templates) as place:
            place.room.say(copied, other)
            until(lambda: place.room.ready(copied.key, other.key), LONG_S, "both machines")
            (machine,) = processes(copied.key)
            place.reconciler.kill()
            place.reconciler.start()
            until(place.well, LONG_S)
            assert processes(copied.key) == [machine]
            place.room.say(other)
            until(lambda: processes(copied.key) == [], LONG_S, "its end")
            assert place.orphans(other.key) == []
            cleared(place)


def test_a_database_wiped_while_all_run_ends_nothing_that_is_in_use(
    home: Path, libvirtd: Libvirtd, database: str, request: pytest.FixtureRequest
) -> None:
    """Both processes end by themselves, and a supervisor starts them again."""
    there, new = wish(), wish()
    with Place(home, libvirtd, store=database) as place:
        place.room.say(there)
        until(lambda: place.room.ready(there.key), LONG_S, "ready")
        machine = place.one(there.key)
        if database.startswith("postgresql"):
            server: Postgres = request.getfixturevalue("postgres")
            server.empty()
        else:
            for file in home.glob("cloud.db*"):
                file.unlink()
        for part in (place.ingest, place.reconciler):
            assert part.process is not None
            assert part.process.wait(30) == 1
            assert "the database was replaced" in part.log.read_text()
        assert place.one(there.key) == machine
        place.room.told.clear()
        place.reconciler.start()
        until(lambda: place.room.ready(there.key), LONG_S, "found again before its room was heard")
        place.ingest.start()
        until(place.well, LONG_S)
        place.room.say(there, new)
        until(lambda: place.room.ready(there.key, new.key), LONG_S, "life goes on")
        assert place.one(there.key) == machine
        assert place.orphans(there.key, new.key) == []
        cleared(place)
