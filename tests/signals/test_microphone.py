"""The microphone source on sound files, through a real PortAudio device, and on what is neither."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.contracts.signals import Signal, SoundMeasured, SourceChanged, decode_signal
from edge.perception.voice import VoiceMeter
from edge.process.backoff import Backoff
from edge.signals.microphone import MicrophoneSource
from edge.signals.sound import to_int16
from tests.world.media import make_sound, speech
from tests.world.pulse import PulseServer
from tests.world.waiting import until, within

ROOT = Path(__file__).parents[2]


class Room:
    """Starts microphone sources and keeps what they post."""

    def __init__(self) -> None:
        self.heard: list[Signal] = []
        self._sources: list[MicrophoneSource] = []

    def microphone(self, device: object, loop: bool = False) -> MicrophoneSource:
        pause = Backoff(first=0.05, cap=0.1)
        source = MicrophoneSource(
            "microphone", str(device), VoiceMeter(), self.heard.append, loop=loop, backoff=pause
        )
        self._sources.append(source)
        source.start()
        return source

    def sounds_before_it_was_lost(self) -> list[SoundMeasured]:
        heard = self.heard[:]
        ends = [n for n, signal in enumerate(heard) if getattr(signal, "health", "") == "lost"]
        return [signal for signal in heard[: ends[0]] if isinstance(signal, SoundMeasured)]

    def sounds(self) -> list[SoundMeasured]:
        return [signal for signal in self.heard if isinstance(signal, SoundMeasured)]

    def health(self) -> list[str]:
        return [signal.health for signal in self.heard if isinstance(signal, SourceChanged)]

    def reasons(self) -> str:
        return " | ".join(s.reason for s in self.heard if isinstance(s, SourceChanged))

    def stop(self) -> None:
        for source in self._sources:
            source.stop()


@pytest.fixture(autouse=True)
def no_leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the client of a sound server keep its files in the test's folder."""
    for name in ("HOME", "TMPDIR", "PULSE_RUNTIME_PATH"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room()
    yield room
    room.stop()


def write(path: Path, samples: np.ndarray, rate: int = 16_000, kind: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate, subtype=kind)
    return path


def test_a_recording_is_measured_second_by_second_and_its_end_is_a_lost_microphone(
    room: Room, tmp_path: Path
) -> None:
    path = make_sound(tmp_path, 3.1, [(1.5, 3.1)])
    began = time.monotonic()
    room.microphone(path)
    until(lambda: "lost" in room.health())
    assert time.monotonic() - began > 2.9
    assert "recording ended" in room.reasons()
    first, _, last = room.sounds_before_it_was_lost()
    assert first.voice < 0.3
    assert first.level_db == pytest.approx(20 * np.log10(20 / 32768), abs=1.0)
    assert last.voice > 0.5
    assert last.level_db > -40
    until(lambda: room.health()[:3] == ["ok", "lost", "ok"], what="played again after a pause")


def test_stereo_at_another_rate_is_heard_the_same(room: Room, tmp_path: Path) -> None:
    voice = speech()[:24_000].astype(float)
    slow = np.interp(np.arange(0, voice.size, 16 / 44.1), np.arange(voice.size), voice)
    both = np.stack([slow, slow], axis=1).astype(np.int16)
    room.microphone(write(tmp_path / "both.flac", both, 44_100))
    until(room.sounds)
    assert room.sounds()[0].voice > 0.5


def test_what_is_no_number_is_silence(room: Room, tmp_path: Path) -> None:
    samples = np.full(20_000, np.nan, np.float32)
    samples[::3] = np.inf
    room.microphone(write(tmp_path / "nan.wav", samples, kind="FLOAT"), loop=True)
    until(room.sounds)
    assert room.sounds()[0].level_db == -100.0
    assert room.health() == ["ok"]


def test_too_loud_is_clipped() -> None:
    assert to_int16(np.array([[3.0, 3.0], [-9.0, -9.0]], np.float32)).tolist() == [32767, -32768]


def test_a_looped_recording_never_ends(room: Room, tmp_path: Path) -> None:
    room.microphone(write(tmp_path / "short.wav", np.zeros(4_000, np.int16)), loop=True)
    until(lambda: len(room.sounds()) >= 2)
    assert room.health() == ["ok"]


@pytest.mark.parametrize("loop", [False, True])
def test_a_recording_without_sound_is_lost(room: Room, tmp_path: Path, loop: bool) -> None:
    room.microphone(write(tmp_path / "empty.wav", np.zeros(0, np.int16)), loop=loop)
    until(lambda: "holds no sound" in room.reasons())


def test_a_file_that_is_no_sound_is_lost_until_it_becomes_one(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(b"")
    room.microphone(path, loop=True)
    until(lambda: "cannot be read as sound" in room.reasons())
    # In one piece: half of it is a recording too, or another kind of none.
    write(tmp_path / "whole.wav", np.zeros(16_000, np.int16)).replace(path)
    until(lambda: room.health() == ["lost", "ok"])


def test_a_rate_nobody_can_hear_is_refused(room: Room, tmp_path: Path) -> None:
    room.microphone(write(tmp_path / "slow.wav", np.zeros(100, np.int16), rate=4_000))
    until(lambda: "allowed is 8000 to 192000" in room.reasons())


@pytest.mark.parametrize("device", ["/nowhere/sound.wav", "no such microphone", "99"])
def test_what_does_not_exist_is_lost_and_named(room: Room, device: str) -> None:
    room.microphone(device)
    until(lambda: device in room.reasons())
    assert room.health() == ["lost"]


def test_without_consent_the_file_is_closed_and_stop_is_quick(room: Room, tmp_path: Path) -> None:
    path = make_sound(tmp_path, 1.5, [])
    microphone = room.microphone(path, loop=True)
    until(room.sounds)
    microphone.enabled(False)
    until(lambda: room.health()[-1] == "degraded")
    assert not [thread for thread in threading.enumerate() if thread.name == "sound-file"]
    microphone.enabled(True)
    until(lambda: room.health() == ["ok", "degraded", "ok"])
    with within(1.0):
        microphone.stop()
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"microphone", "sound-file"}


class Listener:
    """A listening process on a PulseAudio server, and what it said."""

    def __init__(self, pulse: PulseServer) -> None:
        self.heard: list[Signal] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.world.listener", "default"],
            env={**pulse.env, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.heard.append(decode_signal(line))

    def health(self) -> list[str]:
        return [signal.health for signal in self.heard if isinstance(signal, SourceChanged)]

    def loudest_voice(self) -> float:
        return max((s.voice for s in self.heard if isinstance(s, SoundMeasured)), default=0.0)

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()


def test_speech_is_heard_through_a_real_audio_input_that_goes_and_comes_back(
    tmp_path: Path,
) -> None:
    wav = write(tmp_path / "speech.wav", speech()[: 16_000 * 4])
    with PulseServer() as pulse, Listener(pulse) as room:
        until(lambda: room.health() == ["ok"], what="the input opened")
        assert room.loudest_voice() < 0.5
        player = pulse.play(wav)
        until(lambda: room.loudest_voice() > 0.5, what="speech was heard")
        player.kill()
        player.wait()
        pulse.stop()
        until(lambda: room.health()[-1] == "lost", what="the input is lost")
        pulse.start()
        until(lambda: room.health() == ["ok", "lost", "ok"], what="it is back")
    assert not os.path.exists(pulse.socket)
