"""What happens to meetings' machines when messages, people and processes misbehave.

Seen from outside (`virsh list`, the host's processes), with a stranger's machine beside ours. What
is killed in the middle of a boot, a guest that dies when it was ready, a killed libvirtd and a
database wiped while nobody runs stand in tests/cloud_bridge/test_reconciler.py, a reconciler that
dies for good in test_scaleout.py; the long cases stand in test_machines_long.py.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.contracts.wire import WantedMachine
from tests.cloud_bridge.service import Altered
from tests.faults.crashing import POINTS
from tests.faults.machines import PARTS, run
from tests.faults.place import LONG_S, Place, cleared, quiet, wish
from tests.world.libvirtd import Libvirtd
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, libvirtd: Libvirtd) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    with Place(folder, libvirtd, templates=quiet(folder, 300.0)) as made:
        yield made


def test_a_few_kills_at_random_moments_leave_no_orphan_and_no_second_machine() -> None:
    tallies, problems = run(len(PARTS), seed=11)
    assert problems == []
    assert [len(tally.seconds) for tally in tallies] == [1] * len(PARTS)
    assert sum(tally.orphans + tally.seconds_machines for tally in tallies) == 0


def test_doubled_late_and_reordered_messages_make_what_was_said_last(place: Place) -> None:
    first, last, never = wish(), wish(), wish()
    room = place.room

    def say(version: int, *wishes: WantedMachine) -> None:
        room.version = version - 1
        room.want(*wishes, at=float(version))

    for version, wishes in ((5, (first, last)), (3, (never,)), (5, (first, last)), (4, (first,))):
        say(version, *wishes)
        say(version, *wishes)
    room.version = 5
    until(lambda: room.ready(first.key, last.key), LONG_S, "what was said last")
    assert room.phases(never.key) == []
    assert place.orphans(first.key, last.key) == []
    cleared(place)


def test_a_meeting_cancelled_while_its_machine_boots_leaves_none(place: Place) -> None:
    meeting = wish(template="quiet")
    place.room.say(meeting)
    until(lambda: place.one(meeting.key), LONG_S, "a machine that boots")
    cleared(place)
    assert "ready" not in place.room.phases(meeting.key)


def test_a_meeting_moved_after_its_start_keeps_its_machine(place: Place) -> None:
    meeting = wish(start=-30.0)
    place.room.say(meeting)
    until(lambda: place.room.ready(meeting.key), LONG_S, "ready")
    machine = place.one(meeting.key)
    moved = wish(meeting.key, start=1200.0, seconds=3600.0)
    place.room.say(moved)
    until(lambda: place.room.lease(meeting.key) == moved.end, LONG_S)
    assert place.one(meeting.key) == machine != 0
    assert place.orphans(meeting.key) == []
    cleared(place)


@pytest.mark.parametrize("point", POINTS)
def test_a_reconciler_killed_between_two_of_its_steps(place: Place, point: str) -> None:
    """The machine that was made is found again; that it was ended is seen."""
    meeting = wish()
    if point == "ended":
        place.room.say(meeting)
        until(lambda: place.room.ready(meeting.key), LONG_S, "ready")
    place.reconciler.kill()
    with Altered("tests.faults.crashing", place.config, point) as crashing:
        place.room.say(*(() if point == "ended" else (meeting,)))
        assert crashing.process is not None
        until(lambda: crashing.process and crashing.process.poll() == -9, LONG_S, "its end")
    left = place.one(meeting.key)
    assert bool(left) == (point in ("made", "recorded"))
    place.reconciler.start()
    if point != "ended":
        until(lambda: place.room.ready(meeting.key), LONG_S, "ready")
        assert left in (0, place.one(meeting.key))
        assert place.orphans(meeting.key) == []
    until(place.well, LONG_S)
    cleared(place)
    until(lambda: place.room.gone(meeting.key), LONG_S, "told so")


def test_whoever_has_his_share_and_whatever_does_not_fit_gets_none(
    tmp_path: Path, libvirtd: Libvirtd
) -> None:
    mine = [wish(owner="ada@example.org") for _ in range(2)]
    others = [wish(owner="ines@example.org"), wish(), wish()]
    limits = {"memory_mib": 256, "provider": "per_organiser = 1"}
    with Place(tmp_path, libvirtd, **limits) as place:  # type: ignore[arg-type]
        place.room.say(*mine)
        until(lambda: any(place.room.ready(each.key) for each in mine), LONG_S, "one of hers")
        place.room.say(*mine, *others)
        until(lambda: [place.room.phase(w.key) for w in others].count("ready") == 1, LONG_S)
        refused = [w for w in (*mine, *others) if place.room.phase(w.key) == "refused"]
        assert len(refused) == 3
        assert len(place.guests()) == 2
        until(lambda: place.watch.most_mib == 256, what="the watch has seen both")
        cleared(place)
