"""The camera as a source: how many people are in the latest picture, nothing else of it."""

import time
from collections.abc import Callable

from prometheus_client import Counter, Histogram

from edge.contracts.signals import PeopleCounted, Signal
from edge.perception.errors import FrameError
from edge.perception.people import PeopleCounter
from edge.process.backoff import Backoff
from edge.signals.keeper import Keeper, SourceError
from edge.signals.video import Video

FRAMES = Counter(
    "roomkeeper_camera_frames", "Pictures looked at, by outcome: counted, refused.", ["outcome"]
)
SECONDS = Histogram(
    "roomkeeper_camera_count_seconds",
    "Duration of counting the people in one picture.",
    buckets=(0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.5),
)

REFUSED_IN_A_ROW = 3
"""Useless pictures in a row after which the camera counts as degraded."""


class CameraSource:
    """Posts PeopleCounted `fps` times a second, and the camera's health. Thread: its name.

    device: "0" (index), "/dev/video0", a file (played at its own pace, again when `loop`, else
    its end is a lost camera) or an http/rtsp address. A picture lives until the next one.
    """

    def __init__(
        self,
        name: str,
        device: str,
        counter: PeopleCounter,
        post: Callable[[Signal], None],
        *,
        fps: float = 2.0,
        loop: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self._device = device
        self._counter = counter
        self._post = post
        self._period = 1.0 / fps
        self._loop = loop
        self._refused = 0
        self._keeper = Keeper(name, post, self._session, backoff)

    def start(self) -> None:
        """Begin to look; a camera that is away is tried again and again."""
        self._keeper.start()

    def stop(self) -> None:
        """Close the camera and end, within 1 s."""
        self._keeper.stop()

    def enabled(self, on: bool) -> None:
        """Allow the camera to be open, or have it closed; returns at once."""
        self._keeper.enabled(on)

    def _session(self) -> None:
        while self._keeper.wanted():
            with Video(self._device) as video:
                seen = self._watch(video)
            if not self._keeper.wanted():
                return
            if not self._loop:
                raise SourceError("the recording ended")
            if not seen:
                raise SourceError("the recording holds no pictures")

    def _watch(self, video: Video) -> int:
        """Look until the recording ends or the camera is not wanted; return frames passed."""
        due, passed = time.monotonic(), 0
        while self._keeper.wanted() and video.next():
            passed += 1
            if not self._keeper.wait(video.early()):
                break
            if (now := time.monotonic()) >= due:
                self._look(video)
                due = max(due + self._period, now)
        return passed

    def _look(self, video: Video) -> None:
        try:
            with SECONDS.time():
                people = self._counter.count(video.picture())
        except FrameError as error:
            FRAMES.labels("refused").inc()
            self._refused += 1
            if self._refused >= REFUSED_IN_A_ROW:
                self._keeper.health.degraded(str(error))
            return
        FRAMES.labels("counted").inc()
        self._refused = 0
        if self._keeper.wanted():
            self._keeper.health.ok()
            self._post(PeopleCounted(self.name, people.count, round(people.score, 3)))
