"""The climate plugin through simulated days: warm in time, learned; set back; aired; held."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.plugins.day import Day, booked, day

PARTS = ("climate.setpoint", "ventilation.level")
FAN = {"climate": {"ventilation": "ventilation.level"}}
NIGHT = 24.0


@pytest.fixture(scope="module")
def winter() -> Iterator[Day]:
    """A morning's meeting on each of two days, a visit in the afternoon with the window open."""

    def people(hour: float) -> int:
        daily = hour % 24
        return 6 if 9.05 < daily < 10.4 else 2 if 13 < daily < 13.6 else 0

    meetings = [booked("a", 9, 10.5), booked("b", NIGHT + 9, NIGHT + 10.5)]
    with day(
        FAN, PARTS, meetings, people, begins=6.5, window=lambda hour: 13.2 < hour < 13.3
    ) as lived:
        lived.live(14.5)
        _sleep(lived)
        yield lived.live(NIGHT + 11)


def _sleep(lived: Day) -> None:
    """Skip the night: nobody is there, the room cools down."""
    seconds = (NIGHT + 6.5 - lived.hour) * 3600
    lived.room.wall += seconds
    lived.room.mono += seconds
    lived.building.wall += seconds
    lived.building.temperature, lived.building.co2 = 17.9, 430.0


def setpoints(lived: Day, since: float, until: float) -> set[float]:
    return {float(m.values["climate.setpoint"]) for m in lived.between(since, until)}


def warmth(lived: Day, hour: float) -> float:
    return lived.between(hour, hour + 0.02)[0].temperature


def test_it_is_warm_when_the_meeting_begins_and_stays_so(winter: Day):
    for morning in (0.0, NIGHT):
        assert warmth(winter, morning + 8.99) > 20.9
        assert setpoints(winter, morning + 9.01, morning + 10.5) == {21.5}


def test_heating_begins_no_earlier_than_it_must_and_does_not_stop_again(winter: Day):
    (second,) = winter.changes("climate.setpoint", NIGHT + 6.6, NIGHT + 9)
    assert NIGHT + 6.9 < second < NIGHT + 7.6
    state = json.loads(winter.room.runners["climate"].state)
    assert 1.4 < state["rate"] < 2.6, "degrees an hour that this building gains"


def test_it_is_set_back_while_nobody_is_expected(winter: Day):
    assert setpoints(winter, 6.51, 7.0) == {18}
    assert setpoints(winter, 10.8, 12.9) == {18}
    assert setpoints(winter, 13.9, 14.5) == {18}


def test_an_open_window_holds_the_heating_only_while_it_is_open(winter: Day):
    assert setpoints(winter, 13.1, 13.2) == {21.5}
    assert setpoints(winter, 13.23, 13.3) == {15}
    assert setpoints(winter, 13.32, 13.6) == {21.5}


def test_six_people_have_air_and_an_empty_room_is_quiet(winter: Day):
    assert max(m.co2 for m in winter.moments) < 1150
    assert {float(m.values["ventilation.level"]) for m in winter.between(11.3, 12.9)} == {0}


def test_neither_valve_nor_fan_hunts_under_noise(winter: Day):
    assert winter.busiest("climate.setpoint") <= 4
    assert winter.busiest("ventilation.level") <= 8


def test_policy_manifest_and_gate_let_through_all_it_asks_for(winter: Day):
    assert winter.refused("plugin:climate") == set()


def test_without_a_fan_the_same_people_sit_in_stale_air():
    with day({"climate": {}}, PARTS, (), lambda hour: 6 if hour > 9 else 0, begins=8.95) as lived:
        lived.live(10.2)
    assert max(m.co2 for m in lived.moments) > 1150


def test_a_cancelled_meeting_ends_the_heating_for_it():
    meeting = booked("a", 9, 10)
    with day({"climate": {}}, PARTS[:1], [meeting], lambda _: 0, begins=7.5) as lived:
        lived.live(8.0)
        assert setpoints(lived, 7.9, 8.0) == {21.5}
        lived.room.calendar()
        lived.live(8.1)
    assert setpoints(lived, 8.05, 8.1) == {18}


def test_somebody_who_only_passes_through_is_not_heated_for():
    with day(
        {"climate": {}}, PARTS[:1], (), lambda hour: int(22 < hour < 22.01), begins=21.9
    ) as lived:
        lived.live(22.3)
    assert setpoints(lived, 21.95, 22.3) == {18}


def test_the_simulated_day_is_a_spring_day_in_berlin(winter: Day):
    assert datetime.fromtimestamp(winter.room.wall, UTC).month == 3
