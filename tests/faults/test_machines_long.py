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
from pathlib import Path

import pytest

from tests.cloud_bridge.service import ROOT, Altered, Running
from tests.faults.place import LONG_S, Place, cleared, quiet, wish
from tests.world.libvirtd import Libvirtd
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]
HOUR = 3600.0


def test_a_guest_that_is_never_ready_is_given_up_and_delays_nobody(
    home: Path, libvirtd: Libvirtd
) -> None:
    """Two meetings of a template that never answers, and one that starts fine after them."""
    never = [wish(template="quiet", start=2.0) for _ in range(2)]
    keys = [each.key for each in never]
    with Place(home, libvirtd, templates=quiet(home, 4.0)) as place:
        room = place.room
        room.say(*never)
        until(lambda: any("no answer" in room.detail(key) for key in keys), LONG_S, "a failure")
        fine = wish()
        room.say(*never, fine)
        until(lambda: room.ready(fine.key), LONG_S, "the other meeting's machine")
        assert not any("given up" in room.detail(key) for key in keys), "it waited for their end"
        room.say(never[0], fine)
        until(lambda: "given up" in room.detail(keys[0]), 400, "given up")
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
                until(lambda m=there: place.room.lease(m.key) == m.end, LONG_S, f"{jump:g}")  # type: ignore[misc]
                assert ("trusted" in place.room.detail(later.key)) == waits
                assert ("trusted" in place.room.detail(there.key)) == waits
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
            until(lambda: place.room.lease(there.key) == there.end, LONG_S, "it has seen the jump")
            assert place.one(soon.key)
            turn(80.0 - HOUR, 80.0)
            until(lambda: not place.one(soon.key), LONG_S, "the end of what is not wanted")
            assert place.one(there.key) == machine
            cleared(place)
            assert clocked.process is not None
            assert clocked.process.poll() is None


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
        until(lambda: place.room.lease(meeting.key) == longer.end, LONG_S)
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
    return "given up" in place.room.detail(key)
