"""A camera and a microphone that go away and come back: the room says so and goes on without."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.alone import Alone
from tests.faults.outside import proven
from tests.world.media import make_clip, make_sound
from tests.world.site import Media
from tests.world.waiting import until

pytestmark = pytest.mark.slow
TIMELINE = ((0.0, 0), (1.0, 1), (3.0, 0))


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rk-src-", dir="/tmp") as name:
        yield Path(name)


def hears_boards_and_is_well(room: Alone) -> None:
    """Without one of its senses the room goes by the others."""
    since = time.time()
    until(lambda: room.follower.poll().motion_at > since, 10, "motion is heard")
    assert room.health()["code"] == 200


def test_a_camera_goes_and_comes_back(folder: Path) -> None:
    clip = make_clip(folder / "media", TIMELINE)
    with Alone(folder / "s", media=Media(str(clip), "", [])) as room:
        until(lambda: room.follower.poll().counted_at, 30, "people are counted")
        away = clip.rename(clip.with_suffix(".away"))
        until(lambda: room.unwell("camera").startswith("lost"), 30, "the camera is lost")
        hears_boards_and_is_well(room)
        away.rename(clip)
        until(lambda: room.unwell("camera") == "", 60, "the camera is back")
        since = time.time()
        until(lambda: room.follower.poll().counted_at > since, 20, "people are counted")
        assert proven(room.journal) == ""


def test_a_microphone_that_is_away_at_the_start_is_found(folder: Path) -> None:
    sound = make_sound(folder / "media", 3.0, [])
    away = sound.rename(sound.with_suffix(".away"))
    with Alone(folder / "s", media=Media("", str(sound), [])) as room:
        until(lambda: room.unwell("microphone").startswith("lost"), 30, "the microphone is lost")
        hears_boards_and_is_well(room)
        assert room.follower.heard_at == 0.0
        away.rename(sound)
        until(lambda: room.unwell("microphone") == "", 60, "the microphone is back")
        until(lambda: room.follower.poll().heard_at, 20, "the room is heard")
        assert proven(room.journal) == ""
