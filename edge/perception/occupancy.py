"""How likely anybody is in the room, from slow readings of air, light, sound and motion."""

from pathlib import Path

import numpy as np

from edge.perception.errors import FeatureError
from edge.perception.occupancy_features import (
    NAMES,
    FeatureHistory,
    OccupancyFeatures,
    usable,
    vector,
)
from edge.perception.tflite import TfliteModel

__all__ = ["MODEL", "FeatureHistory", "OccupancyFeatures", "OccupancyModel", "usable"]

MODEL = Path(__file__).parent.parent / "models" / "occupancy.tflite"


class OccupancyModel:
    """Estimates presence; missing inputs are normal. Used by one thread at a time.

    name: file and first digits of its sha256, for the record of what an estimate rests on.
    """

    def __init__(self, path: Path = MODEL):
        self._model = TfliteModel(path, (1, 2 * len(NAMES)), (1, 1))
        self.name = f"{path.stem}-{self._model.digest[:8]}"

    def estimate(self, features: OccupancyFeatures) -> float:
        """Return the probability (0..1) of presence; FeatureError without one usable input."""
        if not usable(features):
            raise FeatureError("no usable input: every reading is missing or out of range")
        output = self._model.run(np.array([vector(features)], np.float32))
        return min(1.0, max(0.0, float(output[0, 0])))
