"""The people counter on the composed clip, and on pictures that are none."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.perception.errors import FrameError
from edge.perception.people import MODEL, SIDE, PeopleCounter, letterbox
from tests.world.media import make_clip
from tests.world.people_clip import FPS, WALK_S, empty_room, people_at

TIMELINE = [(0, 0), (3, 1), (6, 2), (9, 3), (12, 4), (16, 2), (19, 0), (22, 0)]


@pytest.fixture(scope="module")
def counter() -> PeopleCounter:
    return PeopleCounter()


def away_from_changes(second: float) -> bool:
    return all(
        not start - WALK_S - 0.2 <= second <= start + WALK_S + 0.2 for start, _ in TIMELINE[1:]
    )


def test_people_are_counted_as_the_timeline_says(counter: PeopleCounter, tmp_path: Path) -> None:
    capture = cv2.VideoCapture(str(make_clip(tmp_path, TIMELINE)))
    right, empty, looked = 0, 0, 0
    for number in range(TIMELINE[-1][0] * FPS):
        done, frame = capture.read()
        assert done
        second = number / FPS
        if not away_from_changes(second):
            continue
        wanted = people_at(TIMELINE, second)
        found = counter.count(frame)
        looked += 1
        right += found.count == wanted
        empty += wanted == 0 and found.count != 0
        assert (found.score >= 0.15) == (found.count > 0)
    capture.release()
    assert looked > 20
    assert right / looked >= 0.9
    assert empty == 0


def test_the_same_timeline_gives_the_same_bytes(tmp_path: Path) -> None:
    short = [(0, 0), (0.4, 1), (2, 1)]
    one, other = make_clip(tmp_path / "a", short), make_clip(tmp_path / "b", short)
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()
    kept = one.stat().st_mtime_ns
    assert make_clip(tmp_path / "a", short).stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((480, 640), np.uint8),
        np.zeros((480, 640, 4), np.uint8),
        np.full((480, 640, 3), np.nan, np.float32),
    ],
    ids=["empty", "grey without channels", "four channels", "NaN"],
)
def test_a_picture_of_another_form_is_refused(counter: PeopleCounter, frame: np.ndarray) -> None:
    with pytest.raises(FrameError, match="expected height x width x 3 uint8"):
        counter.count(frame)


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_blank_picture_is_refused_not_counted_as_empty(
    counter: PeopleCounter, shade: int
) -> None:
    with pytest.raises(FrameError, match="lens covered"):
        counter.count(np.full((480, 640, 3), (shade, shade // 2, 7), np.uint8))


@pytest.mark.parametrize("shape", [(1, 4000, 3), (4000, 1, 3), (17, 3, 3), (1080, 1920, 3)])
def test_any_proportion_is_counted(counter: PeopleCounter, shape: tuple[int, int, int]) -> None:
    frame = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    assert counter.count(frame).count >= 0


def test_letterbox_keeps_proportions_and_turns_bgr_to_rgb() -> None:
    frame = np.zeros((90, 160, 3), np.uint8)
    frame[:, :] = (10, 20, 30)
    boxed = letterbox(frame)
    assert boxed.shape == (SIDE, SIDE, 3)
    assert tuple(boxed[128, 128]) == (30, 20, 10)
    assert not boxed[: (SIDE - 144) // 2].any()


def test_a_threshold_above_every_score_counts_nobody(tmp_path: Path) -> None:
    strict = PeopleCounter(MODEL, threshold=1.1)
    assert strict.count(empty_room()).count == 0
