"""All shipped plugins in one room: each has its say, none is in another's way, and it replays."""

from pathlib import Path

from edge.contracts.signals import SoundMeasured
from edge.decide.core import CoreState
from edge.steps import encode_decision
from tests.plugins.building import Building
from tests.plugins.day import ACTUATORS, booked, day
from tests.world.room import Room

PLUGINS = {
    "lights": {"actuator": "light.main light.front"},
    "climate": {"ventilation": "ventilation.level"},
    "blinds": {"lamp_lx": 450.0},
    "camera": {},
    "microphone": {},
    "display": {},
}
LEFT_ALONE = {"never-dark-on-people", "life-air", "display-in-use"}
"""Policies that hold a plugin back at the moment when people come or leave, before it has heard."""


def test_a_meeting_with_all_of_them(tmp_path: Path):
    def people(hour: float) -> int:
        return 5 if 8.95 < hour < 9.4 else 0

    def sound(hour: float, _: Building) -> SoundMeasured:
        return SoundMeasured("microphone", -27.0, 0.9 if people(hour) else 0.05)

    with day(
        PLUGINS, ACTUATORS, [booked("a", 9, 9.5, "slides")], people, begins=8.8,
        cloud=lambda _: 0.3, sound=sound, cache=tmp_path / "compiled",
    ) as lived:  # fmt: skip
        lived.live(9.7)
    came = {command.source for _, command in lived.room.commands}
    assert came >= {f"plugin:{name}" for name in PLUGINS}
    for name in PLUGINS:
        assert lived.refused(f"plugin:{name}") <= LEFT_ALONE
    during = lived.between(9.1, 9.35)
    assert {m.values["camera.shutter"] for m in during} == {"open"}
    assert {m.values["microphone.mute"] for m in during} == {"off"}
    assert {m.values["display.power"] for m in during} == {"on"}
    assert {m.values["blind.main"] for m in during} == {80}, "the intent's"
    assert min(float(m.values["light.main"]) for m in during) >= 20
    assert_replays(lived.room)


def assert_replays(room: Room) -> None:
    """The signals alone, plugin answers among them, make the same decisions byte for byte."""
    state, at = CoreState(), 0
    for (signal, ident, now), outcome in zip(room.said, room.outcomes, strict=True):
        state, again = room.core.step(state, signal, ident, now)
        if outcome.decision is not None:
            assert again.decision is not None
            assert encode_decision(again.decision) == encode_decision(outcome.decision)
            at += 1
    assert at > 20
