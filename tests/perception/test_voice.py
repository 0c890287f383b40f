"""The voice meter hears a real synthetic voice, not noise, and refuses what is no sound."""

import numpy as np
import pytest

from edge.perception.errors import SoundError
from edge.perception.voice import RATE, SILENCE_DB, SoundFrame, VoiceMeter
from tests.world.media import speech

BLOCK = 320


def measure(sound: np.ndarray, meter: VoiceMeter | None = None) -> list[SoundFrame]:
    meter = meter or VoiceMeter()
    blocks = [sound[start : start + BLOCK] for start in range(0, sound.size, BLOCK)]
    return [frame for block in blocks if (frame := meter.feed(block)) is not None]


def test_speech_is_heard_and_noise_is_not() -> None:
    voice = speech()
    frames = measure(voice[: 5 * RATE])
    assert len(frames) >= 4
    assert sum(frame.voice > 0.5 for frame in frames) >= 4
    noise = np.random.default_rng(2).normal(0, 300, 5 * RATE).astype(np.int16)
    assert all(frame.voice < 0.3 for frame in measure(noise))


def test_one_frame_a_second() -> None:
    frames = measure(np.zeros(32 * RATE, np.int16))
    assert len(frames) == 32
    assert {frame.level_db for frame in frames} == {SILENCE_DB}


def test_level_is_root_mean_square_against_full_scale() -> None:
    time = np.arange(2 * RATE) / RATE
    half = (16_384 * np.sin(2 * np.pi * 500 * time)).astype(np.int16)
    assert measure(half)[0].level_db == pytest.approx(20 * np.log10(0.5 / 2**0.5), abs=0.05)
    assert measure(np.full(2 * RATE, -32_768, np.int16))[0].level_db == 0.0


def test_samples_at_full_scale_are_counted_as_clipped() -> None:
    time = np.arange(2 * RATE) / RATE
    wave = 60_000 * np.sin(2 * np.pi * 500 * time)
    cut = np.clip(wave, -32_768, 32_767).astype(np.int16)
    assert measure(cut)[0].clipped == pytest.approx(np.mean(np.abs(wave) >= 32_767), abs=0.01)
    assert measure((cut * 0.9).astype(np.int16))[0].clipped == 0.0


def test_reset_forgets_a_half_heard_second() -> None:
    meter = VoiceMeter()
    loud = np.full(RATE // 2, 20_000, np.int16)
    assert meter.feed(loud) is None
    meter.reset()
    frames = measure(np.zeros(RATE + 512, np.int16), meter)
    assert [frame.level_db for frame in frames] == [SILENCE_DB]


@pytest.mark.parametrize(
    "samples",
    [
        np.full(320, np.nan, np.float32),
        np.zeros((320, 2), np.int16),
        np.zeros(RATE + 1, np.int16),
        np.zeros(320, np.int32),
    ],
    ids=["NaN", "stereo", "more than a second", "32 bit"],
)
def test_what_is_no_sound_is_refused_and_the_meter_goes_on(samples: np.ndarray) -> None:
    meter = VoiceMeter()
    with pytest.raises(SoundError, match="expected"):
        meter.feed(samples)
    assert len(measure(np.zeros(2 * RATE, np.int16), meter)) >= 1


def test_an_empty_block_is_nothing() -> None:
    assert VoiceMeter().feed(np.zeros(0, np.int16)) is None
