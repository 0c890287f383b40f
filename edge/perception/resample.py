"""Changes the sample rate of a stream of mono sound, without gaps between its blocks."""

import math

import numpy as np
from numpy.typing import NDArray

from edge.perception.errors import SoundError

RATES = (8_000, 192_000)
ZERO_CROSSINGS = 16
CUTOFF = 0.92
"""Pass band as a share of the narrower of the two bands; the rest is the filter's slope."""


class Resampler:
    """Polyphase windowed-sinc resampling; delays the sound by a few milliseconds.

    rate_in, rate_out: samples/s, 8,000 to 192,000.
    """

    def __init__(self, rate_in: int, rate_out: int):
        for rate in (rate_in, rate_out):
            if not RATES[0] <= rate <= RATES[1]:
                raise SoundError(f"sample rate {rate}; allowed is {RATES[0]} to {RATES[1]}")
        shared = math.gcd(rate_in, rate_out)
        self._up, self._down = rate_out // shared, rate_in // shared
        scale = min(1.0, rate_out / rate_in) * CUTOFF
        half = math.ceil(ZERO_CROSSINGS / scale)
        self._taps = 2 * half
        self._table = _filters(self._up, half, scale)
        self._kept = np.zeros(self._taps - 1, np.float32)
        self._phase = 0

    def feed(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return the next int16 samples at the new rate for the next ones at the old rate."""
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise SoundError(f"samples of {samples.shape} {samples.dtype}; expected (n,) int16")
        if self._up == self._down:
            return samples
        sound = np.concatenate([self._kept, samples.astype(np.float32)])
        usable = sound.size - self._taps + 1
        if usable <= 0:
            self._kept = sound
            return np.zeros(0, np.int16)
        # Output k lies phase + k * down input samples / up after the first usable position.
        count = max(0, -(-(usable * self._up - self._phase) // self._down))
        ticks = self._phase + np.arange(count) * self._down
        starts, phases = ticks // self._up, ticks % self._up
        windows = np.lib.stride_tricks.sliding_window_view(sound, self._taps)[starts]
        result = np.einsum("kt,kt->k", windows, self._table[phases])
        self._phase += count * self._down - usable * self._up
        self._kept = sound[usable:]
        changed: NDArray[np.int16] = np.clip(np.rint(result), -32768, 32767).astype(np.int16)
        return changed


def _filters(up: int, half: int, scale: float) -> NDArray[np.float32]:
    """Return one row of taps per fraction of an input sample, each summing to one."""
    offsets = np.arange(-half + 1, half + 1)[None, :] - np.arange(up)[:, None] / up
    rows = np.sinc(offsets * scale) * np.cos(np.pi * offsets / (2 * half)) ** 2
    table: NDArray[np.float32] = (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)
    return table
