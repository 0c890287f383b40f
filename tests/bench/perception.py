"""What perception costs: a frame, 10 ms of sound, an estimate. `python -m tests.bench.perception`.

Single core: the process pins itself to one. The peer for a frame is OpenCV's own people detector
(histograms of gradients), measured in the same run on the same pictures.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from edge.perception.occupancy import OccupancyFeatures, OccupancyModel
from edge.perception.people import PeopleCounter
from edge.perception.voice import VoiceMeter
from tests.world.media import make_clip, speech

BLOCK = 320


def say(figure: str, value: float, unit: str, peer: str = "", ratio: float | None = None) -> None:
    line = {"figure": figure, "value": round(value, 2), "unit": unit, "peer": peer}
    if ratio is not None:
        line["ratio"] = round(ratio, 3)
    sys.stdout.write(json.dumps(line) + "\n")


def median_s(call: Callable[[int], object], times: int) -> float:
    """Return the median duration of one call in seconds, after three calls that do not count."""
    for number in range(3):
        call(number)
    spent = []
    for number in range(times):
        began = time.perf_counter()
        call(number)
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


def frames() -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        capture = cv2.VideoCapture(str(make_clip(Path(folder), [(0, 4), (8, 4)])))
        found = [capture.read()[1] for _ in range(40)]
        capture.release()
    return found[10:]


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    pictures = frames()
    counter = PeopleCounter()
    ours = median_s(lambda n: counter.count(pictures[n % len(pictures)]), 60)
    hog = cv2.HOGDescriptor()
    hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())
    theirs = median_s(lambda n: hog.detectMultiScale(pictures[n % len(pictures)]), 20)
    seen = statistics.mean(counter.count(picture).count for picture in pictures)
    hog_seen = statistics.mean(len(hog.detectMultiScale(p)[0]) for p in pictures[:10])
    say("people in a frame", ours * 1e3, "ms", f"OpenCV HOG {theirs * 1e3:.1f} ms", ours / theirs)
    say("people found of 4", seen, "people", f"OpenCV HOG {hog_seen:.1f}")
    voice, meter = speech(), VoiceMeter()
    blocks = [voice[start : start + BLOCK] for start in range(0, voice.size - BLOCK, BLOCK)]
    began = time.perf_counter()
    for block in blocks:
        meter.feed(block)
    spent = (time.perf_counter() - began) / (len(blocks) * BLOCK / 16_000) / 100
    say("voice activity and level, 10 ms of sound", spent * 1e6, "us")
    model = OccupancyModel()
    features = OccupancyFeatures(0.6, 200.0, 800.0, 8.0, None, 12.0)
    say("occupancy estimate", median_s(lambda _: model.estimate(features), 2000) * 1e6, "us")


if __name__ == "__main__":
    main()
