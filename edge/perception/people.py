"""How many people are in a picture (MoveNet MultiPose)."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.perception.errors import FrameError
from edge.perception.tflite import TfliteModel

SIDE = 256
DETECTIONS = 6
SCORE = 55
MODEL = Path(__file__).parent.parent / "models" / "movenet_multipose.tflite"
DETAIL_LIMIT = 2.0
"""Standard deviation of grey levels (0..255) under which a picture shows nothing to count."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PeopleFrame:
    """People in one picture, at most 6; `score` 0..1 of the weakest counted, 0 for nobody."""

    count: int
    score: float


class PeopleCounter:
    """Counts people in pictures; used by one thread at a time."""

    def __init__(self, model_path: Path = MODEL, threshold: float = 0.15):
        self._model = TfliteModel(model_path, (1, SIDE, SIDE, 3), (1, DETECTIONS, 56))
        self._threshold = threshold

    def count(self, frame: Picture) -> PeopleFrame:
        """Return the people in `frame`, height x width x 3 uint8 BGR; FrameError if unusable."""
        _check(frame)
        scores = self._model.run(letterbox(frame)[np.newaxis])[0, :, SCORE]
        counted = scores[scores >= self._threshold]
        if not counted.size:
            return PeopleFrame(0, 0.0)
        return PeopleFrame(int(counted.size), min(1.0, float(counted.min())))


def letterbox(frame: Picture) -> Picture:
    """Return the BGR picture as RGB, 256 x 256, scaled to fit and padded with black."""
    height, width = frame.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    padded = np.zeros((SIDE, SIDE, 3), np.uint8)
    padded[top : top + size[1], left : left + size[0]] = small[:, :, ::-1]
    return padded


def _check(frame: Picture) -> None:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
        raise FrameError(
            f"a picture of {frame.shape} {frame.dtype}; expected height x width x 3 uint8"
        )
    if float(frame[::8, ::8].std(axis=(0, 1)).max()) < DETAIL_LIMIT:
        raise FrameError("the picture shows no detail: lens covered, or too dark to see")
