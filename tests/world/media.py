"""Makes the demo's clip and sound, kept in a folder under the hash of what they were made from."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import soundfile
from numpy.typing import NDArray

from edge.perception.resample import Resampler
from tests.world import people_clip
from tests.world.people_clip import FPS, HEIGHT, SEATS, WIDTH, Timeline

RATE = 16_000
NOISE = 20.0
VERSION = 1
TEXT = (
    "Good morning everybody. Shall we begin with the figures of last week? "
    "The second room was booked every day, and nobody complained about the air. "
    "I would like to show you how the new machine works before we decide. "
)


def make_clip(folder: Path, timeline: Timeline) -> Path:
    """Return a clip (AVI, 640 x 360, 5 frames/s) in which people come and go as in `timeline`."""
    path = folder / f"people-{_hash('clip', timeline)}.avi"
    if not path.exists():
        _replace(path, lambda target: _write_clip(target, timeline))
    return path


def make_sound(folder: Path, seconds: float, talking: Sequence[tuple[float, float]]) -> Path:
    """Return a 16 kHz mono WAV: speech in the (from, to) seconds of `talking`, else faint noise."""
    path = folder / f"sound-{_hash('sound', (seconds, tuple(talking)))}.wav"
    if not path.exists():
        _replace(path, lambda target: _write_sound(target, seconds, talking))
    return path


def speech(text: str = TEXT) -> NDArray[np.int16]:
    """Return espeak-ng's voice saying `text`: int16, 16 kHz, mono."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        subprocess.run(["espeak-ng", "-v", "en", "-s", "150", "-w", str(wav), text], check=True)
        samples, rate = soundfile.read(wav, dtype="int16")
    return Resampler(rate, RATE).feed(samples)


def _write_clip(target: Path, timeline: Timeline) -> None:
    writer = cv2.VideoWriter(
        str(target), cv2.VideoWriter_fourcc(*"MJPG"), float(FPS), (WIDTH, HEIGHT)
    )
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 5, (8, HEIGHT, WIDTH, 3), dtype=np.uint8)
    room = people_clip.empty_room()
    cast = [people_clip.person(index) for index in range(len(SEATS))]
    plans = [people_clip.stays(timeline, index) for index in range(len(SEATS))]
    for number in range(round(timeline[-1][0] * FPS)):
        second = number / FPS
        frame = room.copy()
        for index, (picture, opacity) in enumerate(cast):
            for came, left in plans[index]:
                if came <= second < left:
                    x, y = people_clip.position(index, second - came, left - second, second)
                    people_clip.paste(frame, picture, opacity, x, y)
        people_clip.draw_table(frame)
        writer.write(cv2.add(frame, noise[number % len(noise)]))
    writer.release()


def _write_sound(target: Path, seconds: float, talking: Sequence[tuple[float, float]]) -> None:
    rng = np.random.default_rng(7)
    sound = rng.normal(0.0, NOISE, round(seconds * RATE))
    voice = speech() if talking else np.zeros(1, np.int16)
    for start, end in talking:
        part = sound[round(start * RATE) : round(end * RATE)]
        part += np.resize(voice, part.size) * 0.5
    clipped = np.clip(sound, -32768, 32767).astype(np.int16)
    soundfile.write(target, clipped, RATE, subtype="PCM_16", format="WAV")


def _hash(kind: str, arguments: object) -> str:
    return hashlib.sha256(f"{kind} {VERSION} {arguments!r}".encode()).hexdigest()[:16]


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(target)
        target.replace(path)
    finally:
        target.unlink(missing_ok=True)
