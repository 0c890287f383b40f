"""Sound keeps its pitch and level at another rate, and tones above the new band are gone."""

import numpy as np
import pytest

from edge.perception.errors import SoundError
from edge.perception.resample import Resampler


def tone(hertz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(rate * seconds)) / rate
    return np.rint(10_000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_a_tone_keeps_pitch_and_level(rate: int) -> None:
    heard = Resampler(rate, 16_000).feed(tone(1_000, rate))[400:]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
    assert np.argmax(spectrum) * 16_000 / heard.size == pytest.approx(1_000, abs=2)
    assert np.sqrt(np.mean(heard.astype(float) ** 2)) == pytest.approx(10_000 / 2**0.5, rel=0.01)
    loudest = spectrum.max()
    spectrum[np.argmax(spectrum) - 4 : np.argmax(spectrum) + 5] = 0
    assert 20 * np.log10(spectrum.max() / loudest) < -60


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_what_does_not_fit_the_new_band_is_removed(rate: int) -> None:
    heard = Resampler(rate, 16_000).feed(tone(10_000, rate))[400:-400]
    assert np.sqrt(np.mean(heard.astype(float) ** 2)) < 10


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_blocks_of_any_size_give_the_same_as_one(rate: int) -> None:
    sound = tone(440, rate)
    whole = Resampler(rate, 16_000).feed(sound)
    pieces, stream, start = [], Resampler(rate, 16_000), 0
    for size in np.random.default_rng(5).integers(0, 700, 1000):
        pieces.append(stream.feed(sound[start : start + size]))
        start += size
    joined = np.concatenate(pieces)
    assert start >= sound.size
    assert np.abs(joined.astype(int) - whole).max() <= 1
    assert joined.size == whole.size == pytest.approx(16_000, abs=1)


def test_the_same_rate_changes_nothing() -> None:
    sound = tone(440, 16_000)
    assert Resampler(16_000, 16_000).feed(sound) is sound


@pytest.mark.parametrize("rate", [0, -1, 7_999, 1_000_000])
def test_an_impossible_rate_is_refused(rate: int) -> None:
    with pytest.raises(SoundError, match="allowed is 8000 to 192000"):
        Resampler(rate, 16_000)


def test_samples_of_another_form_are_refused() -> None:
    with pytest.raises(SoundError, match="expected"):
        Resampler(48_000, 16_000).feed(np.zeros(100, np.float32))
