"""The shipped occupancy model: sensible with any inputs missing, and as good as its card says."""

import math
import os
from itertools import pairwise
from pathlib import Path

import pytest

from edge.perception.errors import FeatureError
from edge.perception.occupancy import MODEL, OccupancyFeatures, OccupancyModel

BUSY = OccupancyFeatures(0.6, 200.0, 800.0, 8.0, 0.6, 12.0)
EMPTY = OccupancyFeatures(-0.2, 2.0, 420.0, -0.3, 0.0, 0.0)


@pytest.fixture(scope="module")
def model() -> OccupancyModel:
    return OccupancyModel()


def test_a_busy_and_an_empty_room_are_told_apart(model: OccupancyModel) -> None:
    assert model.estimate(BUSY) > 0.9
    assert model.estimate(EMPTY) < 0.1
    assert model.name.startswith("occupancy-")


@pytest.mark.parametrize("missing", OccupancyFeatures.__slots__)
def test_any_one_input_may_be_missing(model: OccupancyModel, missing: str) -> None:
    kept = [name for name in OccupancyFeatures.__slots__ if name != missing]
    busy = OccupancyFeatures(**{name: getattr(BUSY, name) for name in kept})
    empty = OccupancyFeatures(**{name: getattr(EMPTY, name) for name in kept})
    assert model.estimate(busy) > 0.7
    assert model.estimate(empty) < 0.3


@pytest.mark.parametrize("name", OccupancyFeatures.__slots__)
def test_more_of_anything_never_makes_presence_less_likely(
    model: OccupancyModel, name: str
) -> None:
    steps = {
        "temperature_slope": [-5, -1, 0, 1, 5],
        "illuminance": [0, 1, 10, 100, 1_000, 100_000],
        "co2": [300, 420, 600, 1_000, 5_000],
        "co2_slope": [-50, -5, 0, 5, 50],
        "motion": [0, 0.1, 0.5, 1],
        "sound": [-20, 0, 5, 20, 60],
    }[name]
    for base in (BUSY, EMPTY):
        others = {key: getattr(base, key) for key in OccupancyFeatures.__slots__}
        found = [model.estimate(OccupancyFeatures(**{**others, name: step})) for step in steps]
        assert all(a <= b + 1e-6 for a, b in pairwise(found))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e9, -1e9])
def test_nonsense_counts_as_missing(model: OccupancyModel, bad: float) -> None:
    nonsense = OccupancyFeatures(co2=bad, illuminance=2.0)
    assert model.estimate(nonsense) == model.estimate(OccupancyFeatures(illuminance=2.0))


@pytest.mark.parametrize("nothing", [OccupancyFeatures(), OccupancyFeatures(co2=math.nan)])
def test_without_any_input_there_is_no_estimate(
    model: OccupancyModel, nothing: OccupancyFeatures
) -> None:
    with pytest.raises(FeatureError, match="no usable input"):
        model.estimate(nothing)


@pytest.mark.data
@pytest.mark.skipif("ROOMKEEPER_DATA" not in os.environ, reason="ROOMKEEPER_DATA is not set")
def test_in_an_office_it_never_saw_it_is_as_good_as_its_card_says(model: OccupancyModel) -> None:
    from edge.models.occupancy_data import office_uci357

    rows = office_uci357(Path(os.environ["ROOMKEEPER_DATA"]))[::10]
    right = sum((model.estimate(row.features) >= 0.5) == row.occupied for row in rows)
    assert right / len(rows) > 0.9
    assert "93." in MODEL.with_suffix(".md").read_text("utf-8")
