"""Machines through what takes its time: never ready, a jumping clock, full disks, two reconcilers.

`make faults` runs these; `make test` leaves them out. As in test_machines.py everything is seen
from outside, with a stranger's machine beside ours.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloud_bridge.vms.guest import cpio
from tests.cloud_bridge.service import ROOT, Altered, Running
from tests.faults.place import LONG_S, Place, cleared, wish
from tests.world.libvirtd import Libvirtd
from tests.world.postgres import Postgres
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]
HOUR = 3600.0
QUIET = """
[templates.quiet]
memory_mib = 128
lead_s = 60.0
grace_s = 1.0
boot_s = {boot_s}
kernel = "{kernel}"
initramfs = "{initramfs}"
"""


def quiet(folder: Path, boot_s: float) -> str:
    """Return the template of a guest that starts and never answers."""
    entries = [
        cpio.directory("bin"),
        cpio.regular("bin/busybox", Path("/bin/busybox").read_bytes(), 0o755),
        cpio.regular("init", b"#!/bin/busybox sh\nexec /bin/busybox sleep 9999\n", 0o755),
    ]
    (folder / "quiet").write_bytes(cpio.archive(entries))
    kernel = ROOT / "build" / "guest" / "vmlinux"
    return QUIET.format(boot_s=boot_s, kernel=kernel, initramfs=folder / "quiet")


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


def test_a_guest_that_is_never_ready_is_given_up_and_delays_nobody(
    home: Path, libvirtd: Libvirtd
) -> None:
    """Two meetings of a template that never answers, and one that starts fine after them."""
    never = [wish(template="quiet", start=2.0) for _ in range(2)]
    keys = [each.key for each in never]
    with Place(home, libvirtd, templates=quiet(home, 4.0)) as place:
        room = place.room
        room.say(*never)
        until(lambda: any("no answer" in told(place, key) for key in keys), LONG_S, "a failure")
        fine = wish()
        room.say(*never, fine)
        until(lambda: room.ready(fine.key), LONG_S, "the other meeting's machine")
        assert not any("given up" in told(place, key) for key in keys), "it waited for their end"
        until(lambda: all("given up" in told(place, key) for key in keys), 400, "both given up")
        until(lambda: [*place.guests().values()] == [f"roomkeeper-{fine.key}"], LONG_S)
        machine = place.one(fine.key)
        line = [sys.executable, "-m", "cloud_bridge.cli", "machines", str(place.config)]
        subprocess.run([*line, "--retry", keys[0]], check=True, cwd=ROOT)
        until(lambda: place.one(keys[0]), LONG_S, "begun anew by hand")
        assert place.one(fine.key) == machine
        cleared(place)


def test_a_jump_of_the_clock_forth_and_back_ends_and_makes_nothing(
    home: Path, libvirtd: Libvirtd
) -> None:
    dial = home / "dial"

    def turn(wall: float, mono: float) -> None:
        (home / "part").write_text(f"{wall} {mono}")
        (home / "part").rename(dial)

    turn(0.0, 0.0)
    with Place(home, libvirtd) as place:
        place.reconciler.kill()
        with Altered("tests.faults.clocked", place.config, str(dial)) as clocked:
            until(place.well, LONG_S)
            there, later = wish(), wish(start=HOUR + 30.0)
            place.room.say(there)
            until(lambda: place.room.ready(there.key), LONG_S, "ready")
            machine = place.one(there.key)
            for jump, waits in ((HOUR, True), (0.0, False), (-HOUR, False), (0.0, False)):
                turn(jump, 0.0)
                # A changed wish shows that it has compared with the clock as it stands now.
                there = wish(there.key)
                place.room.say(there, later)
                until(lambda m=there: _until(place, m.key) == m.end, LONG_S, f"{jump:g}")  # type: ignore[misc]
                assert ("trusted" in told(place, later.key)) == waits
                assert ("trusted" in told(place, there.key)) == waits
                assert place.one(there.key) == machine
                assert place.orphans(there.key) == []
            # Half a minute later by both clocks it is trusted again, and life goes on.
            turn(40.0, 40.0)
            soon = wish(start=60.0)
            place.room.say(there, soon)
            until(lambda: place.room.ready(soon.key), LONG_S, "a machine made afterwards")
            assert place.one(there.key) == machine
            assert place.orphans(there.key, soon.key) == []
            # Back by an hour for good: a boot is not an hour long, a machine ends when unwanted.
            turn(40.0 - HOUR, 40.0)
            there = wish(there.key)
            place.room.say(there)
            until(lambda: _until(place, there.key) == there.end, LONG_S, "it has seen the jump")
            assert place.one(soon.key)
            turn(80.0 - HOUR, 80.0)
            until(lambda: not place.one(soon.key), LONG_S, "the end of what is not wanted")
            assert place.one(there.key) == machine
            cleared(place)
            assert clocked.process is not None
            assert clocked.process.poll() is None


def _until(place: Place, key: str) -> float:
    """Return the end of a machine's lease as the room was told last."""
    report = place.room.report(key)
    return 0.0 if report is None else report.until


def told(place: Place, key: str) -> str:
    """Return what the room was told last about a machine."""
    report = place.room.report(key)
    return "" if report is None else report.detail


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
        until(lambda: place.room.phase(new.key) == "failed" or told(place, new.key), LONG_S)
        assert place.one(there.key) == machine
        fill(False)
        until(lambda: place.room.ready(there.key, new.key), LONG_S, "goes on by itself")
        assert place.one(there.key) == machine
        assert place.orphans(there.key, new.key) == []
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


def test_two_reconcilers_one_of_which_is_killed_again_and_again(
    home: Path, libvirtd: Libvirtd, database: str
) -> None:
    chance = random.Random(5)
    with Place(home, libvirtd, store=database, instances=("a", "b")) as place:
        for _ in range(3):
            meetings = [wish(), wish()]
            place.room.say(*meetings)
            victim: Running = place.reconcilers[chance.choice("ab")]
            moment = time.monotonic() + chance.uniform(0.0, 3.0)
            until(lambda at=moment: time.monotonic() >= at)  # type: ignore[misc]
            victim.kill()
            victim.start()
            until(lambda m=meetings: place.room.ready(*(w.key for w in m)), LONG_S, "ready")  # type: ignore[misc]
            assert place.orphans(*(w.key for w in meetings)) == []
            assert len(place.guests()) == 2
            cleared(place)


def test_a_new_version_of_the_service_leaves_running_machines_alone(
    home: Path, libvirtd: Libvirtd
) -> None:
    """Another configuration and a database of before: the machine keeps its process and lease."""
    meeting = wish()
    with Place(home, libvirtd) as place:
        place.room.say(meeting)
        until(lambda: place.room.ready(meeting.key), LONG_S, "ready")
        machine = place.one(meeting.key)
        for part in (place.reconciler, place.ingest):
            assert part.terminate(5.0) == 0
        assert place.one(meeting.key) == machine
        with sqlite3.connect(home / "cloud.db") as older:
            for table in ("pools", "boots", "approvals", "heard"):
                older.execute(f"DROP TABLE {table}")
        older.close()
        changed = "[templates.larger]\nmemory_mib = 192\n"
        place.configure({"templates": changed, "memory": 256, "provider": "reserve_mib = 512"})
        place.config.write_text(place.config.read_text().replace("grace_s = 1.0", "grace_s = 2.0"))
        place.room.told.clear()
        place.ingest.start()
        place.reconciler.start()
        until(place.well, LONG_S)
        until(lambda: place.room.ready(meeting.key), LONG_S, "found again")
        longer = wish(meeting.key, seconds=1800.0)
        place.room.say(longer)
        until(lambda: (r := place.room.report(meeting.key)) and r.until == longer.end, LONG_S)
        assert place.one(meeting.key) == machine
        assert place.orphans(meeting.key) == []
        cleared(place)


def test_a_guest_killed_again_and_again_is_given_up_and_no_process_is_left(
    home: Path, libvirtd: Libvirtd
) -> None:
    meeting = wish()
    with Place(home, libvirtd) as place:
        place.room.say(meeting)
        killed: set[int] = set()
        until(lambda: _killed(place, meeting.key, killed), 400, "given up")
        assert len(killed) == 5
        assert place.guests() == {}
        cleared(place)


def _killed(place: Place, key: str, killed: set[int]) -> bool:
    """Kill the key's machine whenever it is there; return whether it was given up."""
    pid = place.one(key)
    if pid and pid not in killed:
        killed.add(pid)
        os.kill(pid, signal.SIGKILL)
    return "given up" in told(place, key)
