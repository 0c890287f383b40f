"""The microphone plugin through simulated meetings: mute when it must be, even, calm, unclipped."""

import random
from collections.abc import Callable

import pytest

from edge.contracts.base import Value
from edge.contracts.signals import DeviceReported, SoundMeasured
from tests.plugins.building import Building
from tests.plugins.day import Day, booked, consent, day

PARTS = ("microphone.gain", "microphone.mute")
MEETING = [booked("a", 9, 10)]
DB_PER_PERCENT = 0.6

Sound = Callable[[float, Building], SoundMeasured]


def speech(db: float, noise: float = 3.0) -> Sound:
    """People who speak so loud (dBFS at 60 % gain), two thirds of the time."""
    rng = random.Random(7)

    def sound(_: float, building: Building) -> SoundMeasured:
        shift = DB_PER_PERCENT * (building.gain - 60)
        if rng.random() < 0.33:
            return SoundMeasured("microphone", round(-60 + shift, 1), 0.05)
        level = db + shift + rng.gauss(0, noise)
        clipped = 0.02 if level > -4 else 0.0
        return SoundMeasured("microphone", round(min(0.0, level), 1), 0.95, clipped)

    return sound


def lived(sound: Sound, until: float = 9.8, **more: object) -> Day:
    with day(
        {"microphone": {}}, PARTS, MEETING, lambda hour: 3 * (hour > 8.95), begins=8.9,
        sound=sound, step_s=5.0, **more,
    ) as made:  # fmt: skip
        return made.live(until)


def values(made: Day, part: str, since: float, until: float) -> list[Value]:
    return [m.values[part] for m in made.between(since, until)]


@pytest.mark.parametrize("loudness", [-40.0, -26.0, -14.0], ids=["faint", "right", "loud"])
def test_speech_ends_up_at_the_wanted_level_and_then_stands(loudness: float):
    made = lived(speech(loudness), 9.6)
    settled = [float(x) for x in values(made, "microphone.gain", 9.4, 9.6)]
    heard = loudness + DB_PER_PERCENT * (settled[-1] - 60)
    assert abs(heard + 26) < 6.5
    assert len(made.changes("microphone.gain", 9.4, 9.6)) <= 3
    assert made.refused("plugin:microphone") == set()


def test_clipping_takes_the_gain_back_at_once_and_is_remembered():
    made = lived(speech(-2.0), 9.3)
    first = [float(x) for x in values(made, "microphone.gain", 8.99, 9.05)]
    assert min(first) <= 48
    assert max(float(x) for x in values(made, "microphone.gain", 9.06, 9.3)) <= max(48, first[-1])


def test_it_is_open_in_a_meeting_only():
    made = lived(speech(-26), 10.1)
    assert set(values(made, "microphone.mute", 8.9, 8.94)) == {"on"}
    assert set(values(made, "microphone.mute", 9.05, 9.95)) == {"off"}
    assert values(made, "microphone.mute", 10.0, 10.1)[-1] == "on" or made.room.state.lives


@pytest.mark.parametrize("wish", ["counts", "off"])
def test_it_is_mute_as_soon_as_people_do_not_agree(wish: str):
    made = lived(speech(-26), 9.5, hands={9.2: consent(wish), 9.4: consent("all")})
    assert set(values(made, "microphone.mute", 9.1, 9.2)) == {"off"}
    assert set(values(made, "microphone.mute", 9.205, 9.4)) == {"on"}
    assert set(values(made, "microphone.mute", 9.41, 9.5)) == {"off"}


def test_a_button_on_the_microphone_is_respected_for_the_rest_of_the_meeting():
    hands = {9.2: DeviceReported("mqtt", "microphone.mute", "on")}
    made = lived(speech(-26), 9.9, hands=hands)
    assert set(values(made, "microphone.mute", 9.05, 9.2)) == {"off"}
    assert set(values(made, "microphone.mute", 9.22, 9.9)) == {"on"}


def test_noise_alone_lowers_the_gain_until_somebody_speaks():
    def fan(hour: float, building: Building) -> SoundMeasured:
        if 9.1 < hour < 9.3:
            return SoundMeasured("microphone", -38 + 0.6 * (building.gain - 60), 0.02)
        return SoundMeasured("microphone", -26 + 0.6 * (building.gain - 60), 0.95)

    made = lived(fan, 9.5)
    before, during, after = (
        float(values(made, "microphone.gain", hour - 0.02, hour)[-1]) for hour in (9.1, 9.29, 9.4)
    )
    assert during == before - 15
    assert len(made.changes("microphone.gain", 9.1, 9.35)) == 2
    assert after == before
