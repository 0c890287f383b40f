"""Sound from an audio input or from a file, handed on block by block as int16 mono."""

import importlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from edge.perception.resample import RATES
from edge.perception.voice import RATE
from edge.signals.keeper import SourceError

BLOCKS_PER_S = 50
FILE_KINDS = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".au"}

Push = Callable[[NDArray[np.int16]], None]
_portaudio = threading.Lock()
_open_streams = 0


class SoundInput(Protocol):
    """An open input. rate: samples/s of its blocks; failed: why it ended, "" while it works."""

    rate: int
    failed: str

    def close(self) -> None: ...  # noqa: D102


def open_input(device: str, push: Push, loop: bool) -> SoundInput:
    """Return an open input that calls `push`, or raise SourceError.

    device: a sound file, "default", an index or part of the name of an audio input.
    """
    if Path(device).suffix.lower() in FILE_KINDS:
        return FileInput(device, push, loop)
    return PortAudioInput(device, push)


class PortAudioInput:
    """A microphone. `push` is called on PortAudio's own thread with copies of its blocks."""

    def __init__(self, device: str, push: Push):
        self.failed = ""
        try:
            self._library: Any = importlib.import_module("sounddevice")
        except OSError as error:
            raise SourceError(f"{error}; install libportaudio2") from error
        self._push = push
        with _portaudio:
            _look_for_devices(self._library)
            self._stream, self.rate = self._open(device)
            _count_streams(1)

    def close(self) -> None:
        """Close the input."""
        with _portaudio:
            self._stream.close(ignore_errors=True)
            _count_streams(-1)

    def _open(self, device: str) -> tuple[Any, int]:
        chosen = None if device == "default" else int(device) if device.isdecimal() else device
        try:
            own = int(self._library.query_devices(chosen, "input")["default_samplerate"])
        except (ValueError, self._library.PortAudioError) as error:
            raise SourceError(f"no audio input {device!r}: {_text(error)}") from error
        for rate in dict.fromkeys((RATE, own)):
            stream = None
            try:
                stream = self._library.InputStream(
                    samplerate=rate,
                    blocksize=rate // BLOCKS_PER_S,
                    device=chosen,
                    channels=1,
                    dtype="int16",
                    callback=self._called,
                    finished_callback=self._finished,
                )
                stream.start()
            except self._library.PortAudioError as error:
                if stream is not None:
                    stream.close(ignore_errors=True)
                refusal = error
                continue
            return stream, rate
        raise SourceError(f"audio input {device!r} cannot be opened: {_text(refusal)}")

    def _called(self, block: NDArray[np.int16], _frames: int, _time: Any, _status: Any) -> None:
        self._push(block[:, 0].copy())

    def _finished(self) -> None:
        self.failed = "the audio input ended; check its cable and the sound server"


class FileInput:
    """A sound file played at its own pace by the thread `sound-file`; mixed to one channel."""

    def __init__(self, path: str, push: Push, loop: bool):
        self.failed = ""
        try:
            self._file = soundfile.SoundFile(path)
        except (soundfile.SoundFileError, OSError) as error:
            raise SourceError(f"{path}: cannot be read as sound: {error}") from error
        self.rate = int(self._file.samplerate)
        if not RATES[0] <= self.rate <= RATES[1]:
            self._file.close()
            raise SourceError(f"{path}: {self.rate} samples/s; allowed is {RATES[0]} to {RATES[1]}")
        self._push = push
        self._loop = loop
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, name="sound-file", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop playing."""
        self._stop.set()
        self._thread.join()
        self._file.close()

    def _play(self) -> None:
        size = self.rate // BLOCKS_PER_S
        due, heard = time.monotonic(), 0
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            try:
                samples = self._file.read(size, dtype="float32", always_2d=True)
                if not len(samples) and self._loop and heard:
                    heard = self._file.seek(0)
                    continue
            except soundfile.SoundFileError as error:
                self.failed = f"the recording is damaged: {error}"
                return
            if not len(samples):
                self.failed = "the recording ended" if heard else "the recording holds no sound"
                return
            heard += len(samples)
            self._push(to_int16(samples))
            due += len(samples) / self.rate


def to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return frames x channels of -1..1 as int16 mono; what is no number becomes silence."""
    mono = np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0).mean(axis=1)
    result: NDArray[np.int16] = np.clip(np.rint(mono * 32768.0), -32768, 32767).astype(np.int16)
    return result


def _look_for_devices(library: Any) -> None:
    # PortAudio lists devices once, when it is initialised; a microphone plugged in later is seen
    # only after a new start, which would end streams that are open.
    if _open_streams == 0:
        library._terminate()
        library._initialize()


def _count_streams(change: int) -> None:
    global _open_streams  # noqa: PLW0603
    _open_streams += change


def _text(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
