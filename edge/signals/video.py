"""Pictures from a camera, a file or an address, all through one OpenCV capture."""

import contextlib
import time
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit

import cv2

from edge.perception.people import Picture
from edge.signals.keeper import SourceError

TIMEOUT_MS = 3_000
STREAM_OPTIONS = [
    cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
    TIMEOUT_MS,
    cv2.CAP_PROP_READ_TIMEOUT_MSEC,
    TIMEOUT_MS,
    cv2.CAP_PROP_N_THREADS,
    1,
]
FASTEST = 1 / 120
"""Seconds between two frames of a live stream, at least: a backlog is drained, not raced."""
LONGEST_PAUSE_S = 1.0


class Video:
    """An open capture. `device`: "0" (index), "/dev/video0", a file, or http/rtsp address."""

    def __init__(self, device: str):
        self._name = without_password(device)
        with contextlib.suppress(AttributeError):
            cv2.setLogLevel(0)
        if device.isdecimal():
            self._capture = cv2.VideoCapture(int(device))
        elif device.startswith("/dev/"):
            self._capture = cv2.VideoCapture(device)
        else:
            self._capture = cv2.VideoCapture(device, cv2.CAP_FFMPEG, STREAM_OPTIONS)
        if not self._capture.isOpened():
            raise SourceError(self._why(device))
        # A recording has a length and comes as fast as it is read; a live picture sets the pace.
        self.recorded = self._capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0
        self._began = self._last = time.monotonic()

    def __enter__(self) -> "Video":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._capture.release()

    def next(self) -> bool:
        """Go to the next frame; False when a recording ended. SourceError when the camera is."""
        if self._capture.grab():
            return True
        if self.recorded:
            return False
        raise SourceError(f"{self._name}: no more pictures; check cable, power and network")

    def early(self) -> float:
        """Return the seconds to wait until the frame gone to is to be shown, at most 1."""
        now = time.monotonic()
        if self.recorded:
            due = self._began + self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        else:
            due = self._last + FASTEST
        self._last = now
        return min(LONGEST_PAUSE_S, max(0.0, due - now))

    def picture(self) -> Picture:
        """Return the frame gone to, decoded: height x width x 3 uint8 BGR."""
        done, frame = self._capture.retrieve()
        if not done:
            raise SourceError(f"{self._name}: a picture could not be decoded")
        result: Picture = frame
        return result

    def _why(self, device: str) -> str:
        local = f"/dev/video{device}" if device.isdecimal() else device
        if "://" in device:
            return f"{self._name}: no answer, or no video there"
        if not Path(local).exists():
            return f"{local}: does not exist; plug the camera in or correct camera.device"
        return f"{local}: cannot be opened: in use, no video, or no permission (group video)"


def without_password(device: str) -> str:
    """Return an address without the user and password it may carry; a path as it is."""
    if "://" not in device:
        return device
    parts = urlsplit(device)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
