"""The blinds plugin through simulated days: no glare on people, no oven, no hunting, no quarrel."""

import math
from collections.abc import Callable, Mapping

import pytest

from edge.contracts.base import Value
from edge.contracts.signals import DeviceReported
from tests.plugins.day import Day, booked, day

BLIND = ("blind.main",)
GLARE_LX = 900.0


def clear(_: float) -> float:
    return 0.0


def always(_: float) -> int:
    return 2


def lived(
    people: Callable[[float], int],
    until: float,
    *,
    begins: float = 8.0,
    settings: Mapping[str, Value] | None = None,
    meetings: tuple[object, ...] = (),
    **more: object,
) -> Day:
    named = {"cloud": clear, **more}
    with day(
        {"blinds": settings or {}}, BLIND, meetings, people, begins=begins, step_s=60.0, **named
    ) as made:  # type: ignore[arg-type]
        return made.live(until)


def levels(made: Day, since: float, until: float) -> list[float]:
    return [float(m.values["blind.main"]) for m in made.between(since, until)]


def test_people_are_shaded_from_glare_and_get_the_view_back_when_the_sun_is_gone():
    made = lived(always, 20.0)
    used = made.between(9.5, 17.5)
    assert sum(m.daylight < GLARE_LX for m in used) > 0.95 * len(used)
    assert min(levels(made, 11.0, 14.0)) >= 70, "clear sky, the sun in the window"
    assert set(levels(made, 18.6, 20.0)) == {0}, "it has set"
    assert made.busiest("blind.main") <= 3
    assert made.refused("plugin:blinds") == set()


def test_without_it_the_same_people_have_glare():
    made = lived(always, 13.0, begins=11.0, settings={"glare_lx": 20000.0})
    assert all(m.daylight > GLARE_LX for m in made.between(11.5, 13.0))


def test_clouds_that_come_and_go_do_not_make_it_hunt():
    made = lived(always, 16.0, cloud=lambda h: 0.5 + 0.5 * math.sin(h * 2 * math.pi * 5))
    assert made.busiest("blind.main") <= 4
    assert len(made.changes("blind.main")) <= 12


def test_a_cool_empty_room_is_left_to_the_sun_and_a_warm_one_is_shaded():
    cool = lived(lambda _: 0, 14.0, begins=10.0, building={"temperature": 17.0})
    assert set(levels(cool, 10.1, 14.0)) == {0}
    hot = {"temperature": 25.0, "outside": 24.0}
    warm = lived(lambda _: 0, 14.0, begins=10.0, building=hot)
    assert set(levels(warm, 10.1, 14.0)) == {100}
    oven = lived(lambda _: 0, 14.0, begins=10.0, building=hot, settings={"heat_c": 35.0})
    assert oven.moments[-1].temperature > warm.moments[-1].temperature + 2


def test_an_intent_sets_it_and_the_sun_takes_over_afterwards():
    meetings = (booked("a", 9, 9.75, "slides"),)
    made = lived(always, 9.7, begins=8.8, meetings=meetings, cloud=lambda _: 1.0)
    assert set(levels(made, 9.1, 9.7)) == {80}


@pytest.mark.parametrize("hour", [11.5])
def test_what_a_person_sets_at_the_blind_is_left_alone_for_a_while(hour: float):
    hands = {hour: DeviceReported("mqtt", "blind.main", 0)}
    made = lived(always, 14.0, begins=10.0, hands=hands, settings={"respect_min": 120.0})
    assert min(levels(made, 11.0, 11.45)) >= 70
    assert set(levels(made, 11.6, 13.4)) == {0}, "although the sun blinds"
    assert min(levels(made, 13.7, 14.0)) >= 70


def test_it_stands_still_at_night_and_where_nobody_told_the_sun():
    night = lived(always, 5.0, begins=0.5)
    assert night.changes("blind.main") == []
