"""Readings become inputs that mean the same in every room; bad ones become missing ones."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.perception.occupancy_features import (
    NAMES,
    FeatureHistory,
    OccupancyFeatures,
    usable,
    vector,
)

ANY = st.none() | st.floats(allow_nan=True, allow_infinity=True)


def test_slopes_are_per_hour_and_per_minute() -> None:
    history = FeatureHistory()
    for second in range(0, 600, 10):
        history.add(second, temperature=20 + second / 3600, co2=500 + second / 60 * 7)
    found = history.features(590)
    assert found is not None
    assert found.temperature_slope == pytest.approx(1.0)
    assert found.co2_slope == pytest.approx(7.0)
    assert found.co2 == pytest.approx(500 + 590 / 60 * 7)


def test_three_minutes_are_needed_for_a_slope() -> None:
    history = FeatureHistory()
    for second in range(0, 175, 5):
        history.add(second, co2=500)
    found = history.features(170)
    assert found == OccupancyFeatures(co2=500)


def test_motion_is_the_share_of_the_last_five_minutes() -> None:
    history = FeatureHistory()
    for second in range(0, 900, 10):
        history.add(second, motion=second >= 600 and second % 30 == 0)
    found = history.features(890)
    assert found is not None
    assert found.motion == pytest.approx(1 / 3, abs=0.05)


def test_sound_is_relative_to_the_rooms_own_quiet() -> None:
    loud, soft = FeatureHistory(), FeatureHistory()
    for second in range(0, 1200, 10):
        level = -60.0 if second < 1000 else -40.0
        loud.add(second, level_db=level)
        soft.add(second, level_db=level - 25)
    assert loud.features(1190) == soft.features(1190) == OccupancyFeatures(sound=20.0)


def test_a_gap_or_a_clock_that_went_back_begins_anew() -> None:
    for later in (2_000.0, 5.0):
        history = FeatureHistory()
        for second in range(0, 600, 10):
            history.add(second, co2=500 + second)
        history.add(later, co2=400)
        assert history.features(later) == OccupancyFeatures(co2=400)


def test_nothing_known_is_none() -> None:
    history = FeatureHistory()
    assert history.features(0) is None
    history.add(0, co2=math.nan, temperature=math.inf, level_db=-math.inf, illuminance=-5)
    assert history.features(0) is None


def test_often_is_no_more_than_every_five_seconds() -> None:
    often, seldom = FeatureHistory(), FeatureHistory()
    for tick in range(6000):
        often.add(tick / 10, co2=500 + tick)
        if tick % 50 == 0:
            seldom.add(tick / 10, co2=500 + tick)
    assert often.features(599).co2_slope == seldom.features(599).co2_slope  # type: ignore[union-attr]


@given(st.tuples(ANY, ANY, ANY, ANY, ANY, ANY))
def test_whatever_comes_the_vector_is_bounded_and_marks_what_counts(
    values: tuple[float | None, ...],
) -> None:
    features = OccupancyFeatures(*values)
    inputs = vector(features)
    assert len(inputs) == 2 * len(NAMES)
    assert all(math.isfinite(value) and -3 <= value <= 3 for value in inputs)
    known = usable(features)
    for place, name in enumerate(NAMES):
        assert inputs[len(NAMES) + place] == float(name in known)
        assert name in known or inputs[place] == 0.0


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(allow_nan=True), st.booleans()), max_size=60)
)
def test_whatever_is_added_the_history_answers(readings: list[tuple[float, float, bool]]) -> None:
    history = FeatureHistory()
    for mono, value, motion in readings:
        history.add(
            mono, temperature=value, co2=value, illuminance=value, motion=motion, level_db=value
        )
        found = history.features(mono)
        assert found is None or usable(found)
