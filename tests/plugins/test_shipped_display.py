"""The display plugin (JavaScript) through simulated days: ready for meetings, dark for nobody."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.contracts.base import Value
from edge.contracts.plugin import PluginEvent
from edge.plugins.private import PrivateFolder
from edge.plugins.runner import Runner
from edge.plugins.sandbox import GuestError, Sandbox
from tests.plugins.day import CompileCache, Day, booked, day
from tests.plugins.guests import shipped

PARTS = ("display.power", "display.input")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled once: its interpreter takes a while."""
    return tmp_path_factory.mktemp("compiled") / "store"


@pytest.fixture(scope="module")
def tuesday(compiled: Path) -> Iterator[Day]:
    """A meeting at nine whose people stay a little, a visit at one, somebody who works late."""

    def people(hour: float) -> int:
        return 3 if 8.98 < hour < 10.05 or 13 < hour < 13.5 or 19.5 < hour < 20.5 else 0

    with day(
        {"display": {}},
        PARTS,
        [booked("a", 9, 10)],
        people,
        begins=6.0,
        cache=compiled,
        step_s=60.0,
    ) as lived:
        yield lived.live(22)


def values(lived: Day, part: str, since: float, until: float) -> set[Value]:
    return {m.values[part] for m in lived.between(since, until)}


def test_it_is_on_with_the_meeting_and_ready_before(tuesday: Day):
    assert values(tuesday, "display.power", 8.98, 10.0) == {"on"}
    assert values(tuesday, "display.input", 9.0, 9.95) == {"laptop"}


def test_signage_is_shown_before_a_meeting_and_to_people_between(tuesday: Day):
    assert values(tuesday, "display.power", 8.55, 8.95) == {"on"}
    assert values(tuesday, "display.input", 8.55, 8.95) == {"player"}
    assert values(tuesday, "display.power", 13.1, 13.5) == {"on"}
    assert values(tuesday, "display.input", 13.1, 13.5) == {"player"}


def test_it_is_off_for_nobody_and_at_night(tuesday: Day):
    assert values(tuesday, "display.power", 6.1, 8.45) == {"off"}
    assert values(tuesday, "display.power", 10.5, 12.95) == {"off"}
    assert values(tuesday, "display.power", 14.0, 22.0) == {"off"}


def test_it_does_not_flap(tuesday: Day):
    assert len(tuesday.changes("display.power", 6.2)) == 4
    assert tuesday.busiest("display.power") <= 2
    assert tuesday.refused("plugin:display") == set()


def test_people_who_come_and_go_at_the_door_do_not_switch_it_all_the_time(compiled: Path):
    with day(
        {"display": {"empty_min": 0.0}}, PARTS, (), lambda hour: int(hour * 60) % 3 == 0,
        begins=12.0, cache=compiled,
    ) as lived:  # fmt: skip
        lived.live(13.0)
    assert lived.busiest("display.power") <= 30


def test_nonsense_costs_one_call_and_the_next_is_answered(compiled: Path):
    plugin = shipped("display")[0]
    box = Sandbox()
    guest = CompileCache(PrivateFolder(compiled)).guest(box, plugin)
    try:
        for nonsense in ("{", "[]", '{"events":5}', '{"events":[null]}', "[" * 50_000):
            with pytest.raises(GuestError):
                guest.call("handle", nonsense)
        assert guest.call("handle", '{"events":[],"now":1}').startswith('{"commands":[]')
    finally:
        guest.close()
        box.close()


def test_a_state_that_cannot_be_read_is_forgotten(compiled: Path):
    box = Sandbox()
    runner = Runner(shipped("display")[0])
    try:
        runner.load(box, CompileCache(PrivateFolder(compiled)))
        runner.state = "{"
        answer = runner.call((PluginEvent("e", "tick"),), 1.0, 1)
        assert [c.value for c in answer.commands] == ["off", "player"]
    finally:
        runner.close()
        box.close()
