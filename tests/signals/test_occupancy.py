"""The occupancy source posts what the model says of the features there are, and no more."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.contracts.signals import OccupancyEstimated, Signal, SourceChanged
from edge.perception.occupancy import OccupancyFeatures, OccupancyModel
from edge.signals.occupancy import OccupancySource
from tests.world.waiting import until


@contextmanager
def running(features: Callable[[], OccupancyFeatures | None]) -> Iterator[list[Signal]]:
    heard: list[Signal] = []
    source = OccupancySource("occupancy", OccupancyModel(), features, heard.append, period_s=0.01)
    source.start()
    try:
        yield heard
    finally:
        source.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "occupancy"]


def test_an_estimate_names_the_model_and_the_inputs_it_rests_on() -> None:
    with running(lambda: OccupancyFeatures(co2=900.0, motion=1.0)) as heard:
        until(lambda: len(heard) > 3)
    assert heard[0] == SourceChanged("occupancy", "ok")
    estimate = heard[1]
    assert isinstance(estimate, OccupancyEstimated)
    assert estimate.probability > 0.5
    assert estimate.inputs == ("co2", "motion")
    assert estimate.model.startswith("occupancy-")


def test_nothing_is_posted_while_nothing_is_known() -> None:
    asked = []
    with running(lambda: asked.append(1)) as heard:
        until(lambda: len(asked) > 3)
    assert heard == []


def test_unusable_and_failing_features_are_reported_and_survived() -> None:
    answers = iter([OccupancyFeatures(co2=float("nan")), None])

    def features() -> OccupancyFeatures | None:
        found = next(answers, OccupancyFeatures(co2=500.0))
        if found is None:
            raise ValueError("broken")
        return found

    with running(features) as heard:
        until(lambda: any(isinstance(signal, OccupancyEstimated) for signal in heard))
    health = [signal.health for signal in heard if isinstance(signal, SourceChanged)]
    assert health == ["degraded", "lost", "ok"]
