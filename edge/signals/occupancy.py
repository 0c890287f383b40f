"""The occupancy model as a source: a probability a second, from what the room's sensors say."""

from collections.abc import Callable

import structlog
from prometheus_client import Histogram

from edge.contracts.signals import OccupancyEstimated, Signal
from edge.perception.errors import PerceptionError
from edge.perception.occupancy import OccupancyFeatures, OccupancyModel, usable
from edge.process.worker import Worker
from edge.signals.health import HealthReporter

log = structlog.get_logger()

SECONDS = Histogram(
    "roomkeeper_occupancy_estimate_seconds",
    "Duration of one estimate of the occupancy model.",
    buckets=(0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.05),
)


class OccupancySource(Worker):
    """Posts OccupancyEstimated every `period_s` while there are features. Thread: its name.

    `features` is called on this thread; None means that nothing is known yet.
    """

    def __init__(
        self,
        name: str,
        model: OccupancyModel,
        features: Callable[[], OccupancyFeatures | None],
        post: Callable[[Signal], None],
        *,
        period_s: float = 1.0,
    ) -> None:
        super().__init__(name, daemon=False)
        self.name = name
        self._model = model
        self._features = features
        self._post = post
        self._period = period_s
        self._health = HealthReporter(name, post)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._estimate()
            except PerceptionError as error:
                self._health.degraded(str(error))
            except Exception as error:
                if self._health.health != "lost":
                    log.exception("occupancy estimate failed", source=self.name)
                self._health.lost(f"internal error {type(error).__name__}: see the log")
            self._stop.wait(self._period)

    def _estimate(self) -> None:
        features = self._features()
        if features is None:
            return
        with SECONDS.time():
            probability = self._model.estimate(features)
        self._health.ok()
        inputs = usable(features)
        self._post(OccupancyEstimated(self.name, round(probability, 4), self._model.name, inputs))
