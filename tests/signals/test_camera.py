"""The camera source on files, streams and things that are no camera."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.contracts.signals import PeopleCounted, Signal, SourceChanged
from edge.perception.people import PeopleCounter
from edge.process.backoff import Backoff
from edge.signals.camera import CameraSource
from edge.signals.video import without_password
from tests.world.media import make_clip
from tests.world.mosquitto import free_port
from tests.world.waiting import until, within


class Room:
    """Starts camera sources and keeps what they post."""

    def __init__(self, counter: PeopleCounter) -> None:
        self.heard: list[Signal] = []
        self._counter = counter
        self._sources: list[CameraSource] = []

    def camera(self, device: object, fps: float = 10.0, loop: bool = False) -> CameraSource:
        source = CameraSource(
            "camera",
            str(device),
            self._counter,
            self.heard.append,
            fps=fps,
            loop=loop,
            backoff=Backoff(first=0.05, cap=0.1),
        )
        self._sources.append(source)
        source.start()
        return source

    def counts_before_it_was_lost(self) -> list[int]:
        heard = self.heard[:]
        ends = [n for n, signal in enumerate(heard) if getattr(signal, "health", "") == "lost"]
        return [signal.count for signal in heard[: ends[0]] if isinstance(signal, PeopleCounted)]

    def counts(self) -> list[int]:
        return [signal.count for signal in self.heard if isinstance(signal, PeopleCounted)]

    def health(self) -> list[str]:
        return [signal.health for signal in self.heard if isinstance(signal, SourceChanged)]

    def reasons(self) -> str:
        return " | ".join(s.reason for s in self.heard if isinstance(s, SourceChanged))

    def stop(self) -> None:
        for source in self._sources:
            source.stop()


@pytest.fixture(scope="module")
def counter() -> PeopleCounter:
    return PeopleCounter()


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture
def room(counter: PeopleCounter) -> Iterator[Room]:
    room = Room(counter)
    yield room
    room.stop()


def is_open(path: Path) -> bool:
    links = []
    for entry in os.scandir("/proc/self/fd"):
        try:
            links.append(os.readlink(entry.path))
        except FileNotFoundError:
            continue
    return str(path) in links


def test_a_recording_is_counted_at_its_own_pace_and_its_end_is_a_lost_camera(
    room: Room, media: Path
) -> None:
    clip = make_clip(media, [(0, 1), (1.6, 1)])
    began = time.monotonic()
    room.camera(clip)
    until(lambda: "lost" in room.health())
    assert time.monotonic() - began > 1.3
    assert "recording ended" in room.reasons()
    assert 3 <= len(room.counts_before_it_was_lost()) <= 9
    seen = len(room.counts())
    until(lambda: len(room.counts()) > seen, what="the recording played again after a pause")
    until(lambda: room.health()[:3] == ["ok", "lost", "ok"])


def test_fps_bounds_how_often_is_looked(room: Room, media: Path) -> None:
    clip = make_clip(media, [(0, 1), (1.6, 1)])
    began = time.monotonic()
    room.camera(clip, fps=1.0)
    until(lambda: "lost" in room.health())
    played_s = time.monotonic() - began
    assert 1 <= len(room.counts_before_it_was_lost()) <= 1 + played_s


def test_a_looped_recording_never_ends(room: Room, media: Path) -> None:
    room.camera(make_clip(media, [(0, 0), (0.6, 0)]), loop=True)
    until(lambda: len(room.counts()) > 8)
    assert room.health() == ["ok"]


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("/dev/video97", "/dev/video97: does not exist"),
        ("98", "/dev/video98: does not exist"),
        ("/nowhere/clip.avi", "does not exist"),
        ("http://somebody:secret@127.0.0.1:9/video?key=secret", "127.0.0.1:9/video: no answer"),
        ("/dev/null", "cannot be opened"),
    ],
)
def test_what_cannot_be_opened_is_lost_and_tried_again(
    room: Room, device: str, reason: str
) -> None:
    room.camera(device)
    until(lambda: reason in room.reasons())
    assert room.health() == ["lost"]
    assert "secret" not in room.reasons()


def test_a_file_that_is_no_video_is_lost_and_found_when_it_becomes_one(
    room: Room, media: Path, tmp_path: Path
) -> None:
    path = tmp_path / "clip.avi"
    path.write_bytes(b"")
    room.camera(path, loop=True)
    until(lambda: "cannot be opened" in room.reasons())
    path.write_bytes(np.random.default_rng(1).bytes(10_000))
    # In one piece: half of it is a recording too, and a shorter one.
    whole = path.with_suffix(".whole")
    whole.write_bytes(make_clip(media, [(0, 1), (1.6, 1)]).read_bytes())
    whole.replace(path)
    until(room.counts)
    *before, last = room.health()
    assert (set(before), last) == ({"lost"}, "ok")


def test_a_file_that_vanishes_is_lost(room: Room, media: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    path.write_bytes(make_clip(media, [(0, 0), (0.6, 0)]).read_bytes())
    room.camera(path, loop=True)
    until(room.counts)
    path.unlink()
    until(lambda: "does not exist" in room.reasons())
    assert room.health() == ["ok", "lost"]


def test_a_blank_picture_degrades_instead_of_counting_nobody(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "grey.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (64, 48))
    for _ in range(20):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    room.camera(path, fps=20, loop=True)
    until(lambda: "lens covered" in room.reasons())
    assert room.health() == ["degraded"]
    assert room.counts() == []


def test_without_consent_the_device_is_closed(room: Room, media: Path) -> None:
    clip = make_clip(media, [(0, 1), (1.6, 1)])
    camera = room.camera(clip, loop=True)
    until(lambda: room.counts() and is_open(clip))
    camera.enabled(False)
    until(lambda: not is_open(clip) and room.health()[-1] == "degraded")
    assert "no consent" in room.reasons()
    seen = len(room.counts())
    camera.enabled(True)
    until(lambda: room.health() == ["ok", "degraded", "ok"])
    until(lambda: len(room.counts()) > seen)


def test_without_consent_at_the_start_nothing_is_opened(
    counter: PeopleCounter, media: Path
) -> None:
    heard: list[Signal] = []
    clip = make_clip(media, [(0, 1), (1.6, 1)])
    camera = CameraSource("camera", str(clip), counter, heard.append)
    camera.enabled(False)
    camera.start()
    until(lambda: heard)
    camera.stop()
    assert heard == [SourceChanged("camera", "degraded", "switched off: no consent", 1)]


def test_stop_is_quick_in_every_state(room: Room, media: Path) -> None:
    clip = make_clip(media, [(0, 1), (1.6, 1)])
    playing = room.camera(clip, loop=True)
    until(room.counts)
    waiting = room.camera("/dev/video97")
    off = room.camera(clip)
    off.enabled(False)
    until(lambda: "no consent" in room.reasons() and "video97" in room.reasons())
    for source in (playing, waiting, off):
        with within(1.0):
            source.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "camera"]
    assert not is_open(clip)


def serve(clip: Path, port: int) -> "subprocess.Popen[bytes]":
    source = f"ffmpeg -loglevel quiet -re -stream_loop -1 -i {clip} -c copy -f mpjpeg -listen 1"
    command = [*source.split(), f"http://127.0.0.1:{port}/room"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def test_a_stream_that_vanishes_is_lost_and_comes_back(room: Room, media: Path) -> None:
    clip, port = make_clip(media, [(0, 1), (1.6, 1)]), free_port()
    server = serve(clip, port)
    try:
        room.camera(f"http://127.0.0.1:{port}/room")
        until(room.counts, what=room.reasons())
        server.kill()
        server.wait()
        until(lambda: room.health()[-1] == "lost")
        seen = len(room.counts())
        server = serve(clip, port)
        until(lambda: len(room.counts()) > seen, what=room.reasons())
        assert room.health()[-1] == "ok"
    finally:
        server.kill()
        server.wait()


def test_addresses_lose_their_password() -> None:
    assert without_password("rtsp://a:b@cam:554/1?token=x") == "rtsp://cam:554/1"
    assert without_password("/srv/a@b.avi") == "/srv/a@b.avi"
