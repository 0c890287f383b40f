"""The sun over the room against published positions, and the wall clock of its time zone."""

from datetime import UTC, datetime

import pytest

from edge.decide.sky import Place, sky, sun

BERLIN = Place(52.52, 13.405, "Europe/Berlin")


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()


def test_the_sun_stands_where_the_solar_position_algorithm_says():
    # The worked example of NREL/TP-560-34302: Golden, Colorado.
    azimuth, elevation = sun(39.742476, -105.1786, at(2003, 10, 17, 19, 30, 30))
    assert azimuth == pytest.approx(194.34, abs=0.02)
    assert elevation == pytest.approx(39.872, abs=0.02)


@pytest.mark.parametrize(
    ("instant", "latitude", "azimuth"),
    [(at(2026, 6, 21, 12, 2), 52.0, 180), (at(2026, 12, 21, 11, 58), -35.0, 0)],
    ids=["north", "south"],
)
def test_noon_is_south_in_the_north_and_north_in_the_south(instant, latitude, azimuth):
    found, elevation = sun(latitude, 0.0, instant)
    assert min(abs(found - azimuth), abs(found - azimuth - 360)) < 2
    assert elevation == pytest.approx(90 - abs(latitude) + 23.44, abs=0.1)


def test_morning_is_east_and_evening_is_west():
    morning, evening = sky(BERLIN, at(2026, 6, 21, 5)), sky(BERLIN, at(2026, 6, 21, 17))
    assert 60 < (morning.sun_azimuth or 0) < 110
    assert 250 < (evening.sun_azimuth or 0) < 300
    assert (sky(BERLIN, at(2026, 6, 21, 23)).sun_elevation or 0) < 0


def test_the_clock_is_that_of_the_room_through_a_change_of_summer_time():
    before, after = sky(BERLIN, at(2026, 3, 29, 0, 59)), sky(BERLIN, at(2026, 3, 29, 1, 0))
    assert (before.local_hour, after.local_hour) == (1.98, 3.0)
    assert before.weekday == 6


def test_a_room_that_nobody_placed_has_no_sun():
    unplaced = sky(Place(timezone="Asia/Kolkata"), at(2026, 6, 21, 6, 30))
    assert (unplaced.sun_azimuth, unplaced.sun_elevation) == (None, None)
    assert unplaced.local_hour == 12.0
