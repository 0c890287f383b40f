"""What the room measures, with a verdict in words and the age of each figure. Pure."""

from dataclasses import dataclass
from typing import Literal

from edge.contracts.base import Now
from edge.fusion.state import FusionRules, Reading, RoomState
from edge.panel.voice import NONE, Voice

Tone = Literal["ok", "fair", "poor", "stale", "off", "none"]

NODE_STALE_S = 300.0
CO2_FAIR, CO2_POOR = 1000.0, 1400.0
COOL, WARM = 18.0, 26.0
QUIET_DB, LOUD_DB = -45.0, -20.0
BADGE: dict[Tone, str] = {
    "ok": "check",
    "fair": "info",
    "poor": "warn",
    "stale": "clock",
    "off": "off",
    "none": "unknown",
}


@dataclass(frozen=True, slots=True)
class Gauge:
    """value: a dash when there is none; `tone`, `badge` and `verdict` agree."""

    name: str
    icon: str
    label: str
    value: str
    unit: str
    tone: Tone
    verdict: str
    age: str

    @property
    def badge(self) -> str:
        """The icon that stands for the tone."""
        return BADGE[self.tone]


def gauges(
    room: RoomState, rules: FusionRules, seats: int, voice: Voice, now: Now
) -> tuple[Gauge, ...]:
    """Return people, temperature, CO2 and noise, in this order."""
    return (
        _people(room, rules, seats, voice, now),
        _node(room, "temperature", "°C", 1, voice, now),
        _node(room, "co2", "ppm", 0, voice, now),
        _noise(room, rules, voice, now),
    )


def _people(room: RoomState, rules: FusionRules, seats: int, voice: Voice, now: Now) -> Gauge:
    label = voice("people")
    unit = voice("of_seats", n=seats) if seats else ""
    if room.consent == "off":
        return Gauge("people", "people", label, NONE, "", "off", voice("switched_off"), "")
    if room.people is None:
        return _absent("people", "people", label, voice)
    count, age = int(room.people.value), now.mono - room.people.at
    if age >= rules.people_stale_s:
        return _stale("people", "people", label, str(count), unit, age, voice)
    tone: Tone = "poor" if seats and count > seats else "ok"
    word = voice("too_many") if tone == "poor" else voice("seen") if count else voice("nobody")
    return Gauge("people", "people", label, str(count), unit, tone, word, voice.age(age))


def _node(room: RoomState, name: str, unit: str, digits: int, voice: Voice, now: Now) -> Gauge:
    reading = room.readings.get(name)
    label = voice(name)
    if reading is None:
        return _absent(name, name, label, voice)
    age = now.mono - reading.at
    value = voice.number(reading.value, digits)
    if age >= NODE_STALE_S:
        return _stale(name, name, label, value, unit, age, voice)
    tone, key = _temperature(reading) if name == "temperature" else _air(reading)
    return Gauge(name, name, label, value, unit, tone, voice(key), voice.age(age))


def _temperature(reading: Reading) -> tuple[Tone, str]:
    if reading.value < COOL:
        return "fair", "cool"
    return ("fair", "warm") if reading.value > WARM else ("ok", "pleasant")


def _air(reading: Reading) -> tuple[Tone, str]:
    if reading.value >= CO2_POOR:
        return "poor", "air_poor"
    return ("fair", "air_fair") if reading.value >= CO2_FAIR else ("ok", "air_good")


def _noise(room: RoomState, rules: FusionRules, voice: Voice, now: Now) -> Gauge:
    label = voice("noise")
    if room.consent != "all":
        return Gauge("noise", "noise", label, NONE, "", "off", voice("switched_off"), "")
    if room.level is None:
        return _absent("noise", "noise", label, voice)
    value, age = voice.number(room.level.value).replace("-", "\u2212"), now.mono - room.level.at
    if age >= rules.voice_stale_s:
        return _stale("noise", "noise", label, value, "dB", age, voice)
    loud = room.level.value >= LOUD_DB
    key = "loud" if loud else "quiet" if room.level.value < QUIET_DB else "talking"
    return Gauge(
        "noise", "noise", label, value, "dB", "fair" if loud else "ok", voice(key), voice.age(age)
    )


def _absent(name: str, icon: str, label: str, voice: Voice) -> Gauge:
    return Gauge(name, icon, label, NONE, "", "none", voice("no_reading"), "")


def _stale(
    name: str, icon: str, label: str, value: str, unit: str, age: float, voice: Voice
) -> Gauge:
    return Gauge(name, icon, label, value, unit, "stale", voice("old"), voice.age(age))
