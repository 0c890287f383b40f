"""The lights plugin through simulated days: nobody in the dark, no light for nobody, no flicker."""

import math
from collections.abc import Iterator

import pytest

from tests.plugins.day import Day, at, booked, by_hand, day

LAMP = ("light.main",)


def flicker(hour: float) -> float:
    """Clouds that come and go every few minutes."""
    return 0.5 + 0.45 * math.sin(hour * 2 * math.pi * 8)


def dark(_: float) -> float:
    return 1.0


@pytest.fixture(scope="module")
def office() -> Iterator[Day]:
    """A spring day under flickering clouds, a meeting at nine and people who drop in at one."""

    def people(hour: float) -> int:
        return 4 if 9.05 < hour < 10.4 else 1 if 13 < hour < 13.6 else 0

    meetings = [booked("a", 9, 10.5, "quiet")]
    with day({"lights": {}}, LAMP, meetings, people, begins=8.5, cloud=flicker) as lived:
        yield lived.live(15)


def lit(lived: Day, since: float, until: float) -> list[float]:
    return [float(m.values["light.main"]) for m in lived.between(since, until)]


def test_it_is_never_dark_while_somebody_is_there(office: Day):
    there = [m for m in office.moments if m.people and m.occupied]
    assert len(there) > 200
    assert min(float(m.values["light.main"]) for m in there) >= 20


def test_light_waits_for_the_meeting_and_goes_when_everybody_went(office: Day):
    assert max(lit(office, 8.5, 8.9)) == 0
    assert set(lit(office, 8.97, 9.0)) == {30}
    assert max(lit(office, 10.85, 12.99)) == 0, "after the meeting's end, its hold and the fade"
    assert max(lit(office, 13.8, 15)) == 0


def test_flickering_clouds_do_not_make_the_lamps_flicker(office: Day):
    assert office.busiest("light.main") <= 24


def test_the_room_is_bright_enough_without_lighting_the_daylight_again(office: Day):
    used = [m for m in office.between(9.2, 10.3) if m.people]
    enough = 500 * 0.6
    assert sum(m.lux > 0.7 * enough for m in used) > 0.9 * len(used)
    assert sum(float(m.values["light.main"]) for m in used) < 0.75 * 60 * len(used)


def test_manifest_and_gate_let_through_all_it_asks_for(office: Day):
    assert office.refused("plugin:lights") <= {"never-dark-on-people"}, "from before they came"


@pytest.mark.parametrize(("still_co2", "left_in_the_dark"), [(600.0, False), (0.0, True)])
def test_people_who_sit_still_are_felt_in_the_air(still_co2: float, left_in_the_dark: bool):
    def people(hour: float) -> int:
        return 2 if 18 < hour < 19.5 else 0

    settings = {"lights": {"still_co2": still_co2, "enough_lx": 0.0}}
    with day(
        settings, LAMP, (), people, begins=17.9, motion=0.0, cloud=dark,
        seen=lambda hour: people(hour) if hour < 18.3 else 0, building={"co2": 520.0},
    ) as lived:  # fmt: skip
        lived.live(20.2)
    sitting = lit(lived, 18.4, 19.5)
    assert (min(sitting) == 0) is left_in_the_dark
    assert max(lit(lived, 19.95, 20.2)) == 0, "the air gets better: nobody breathes it"


def test_a_person_s_choice_stands_and_the_plugin_takes_over_without_a_jump_to_dark():
    def people(hour: float) -> int:
        return 2 if hour > 9 else 0

    hands = {9.2: by_hand("light.main", 35, 0.25)}
    with day({"lights": {}}, LAMP, (), people, begins=8.95, cloud=dark, hands=hands) as lived:
        lived.live(9.7)
    assert set(lit(lived, 9.22, 9.44)) == {35}
    assert min(lit(lived, 9.46, 9.7)) > 35


def test_a_fade_goes_one_way_in_steps_the_gate_lets_through():
    def people(hour: float) -> int:
        return 1 if hour < 9.1 else 0

    with day(
        {"lights": {"hold_s": 0.0, "fade_s": 60.0, "enough_lx": 0.0}}, LAMP, (), people,
        begins=9.0, cloud=dark,
    ) as lived:  # fmt: skip
        lived.live(9.3)
    levels = [c.value for wall, c in lived.room.commands if wall > at(9.1)]
    assert levels[-1] == 0
    assert len(levels) >= 3
    assert levels == sorted(levels, reverse=True)
