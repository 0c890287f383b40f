"""Whatever is proposed, by whom, in what order and when: what goes out keeps every limit."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts import signals as s
from edge.contracts.commands import Command, PluginCommand
from edge.contracts.gating import GateRule
from tests.world.room import SETTINGS, Room, meeting

RULE = GateRule("light.main", 0, 100, step=30, rate_per_min=6, dwell_s=2, deadband=3, settle_s=10)
ROOM = replace(
    SETTINGS, gate=tuple(RULE if r.actuator == RULE.actuator else r for r in SETTINGS.gate)
)
AUTOMATIC = ("plugin", "schedule")
EASE = 1e-6

values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.floats(-5, 105), st.integers(0, 100),
    st.booleans(), st.sampled_from(["on", "OFF", ""]),
)  # fmt: skip
wishes = st.builds(
    PluginCommand, st.just("e"), st.sampled_from(["light.main", "light.main", "vm/x"]), values,
    st.sampled_from([0.5, 30.0, 4000.0, -1.0]),
)  # fmt: skip
said = st.one_of(
    st.builds(
        s.PluginAnswered, st.sampled_from(["plugin:lights", "plugin:lights", "plugin:other"]),
        st.just(("e",)), st.lists(wishes, max_size=3).map(tuple),
    ),
    st.builds(
        s.PluginFailed, st.just("plugin:lights"), st.just(("e",)), st.just("x"), st.booleans(),
    ),
    st.builds(
        s.OperatorAsked, st.just("panel"),
        st.sampled_from(["set", "set", "release", "pause", "resume"]),
        actuator=st.just("light.main"), value=values, seconds=st.sampled_from([0.0, 5.0, 600.0]),
    ),
    st.builds(s.DeviceReported, st.just("device:lamp"), st.just("light.main"), values),
    st.builds(s.PeopleCounted, st.just("camera"), st.integers(0, 3)),
    st.builds(s.SourceChanged, st.just("journal"), st.sampled_from(["ok", "lost"])),
    st.builds(s.ClockChecked, st.just("clock"), st.booleans()),
    st.builds(
        lambda start: s.CalendarRead("calendar", (meeting(start=start * 60.0),)),
        st.integers(-20, 60),
    ),
    st.just(s.Booted("loop", 2, "h")),
)  # fmt: skip
jumps = st.sampled_from([0.0, 0.0, 0.0, 86_400.0, -3600.0])
story = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 1.0, 3.0, 11.0, 70.0]), jumps, said), max_size=30
)


@dataclass
class Lamp:
    """What the lamp was told, judged by the limits alone, on a clock of its own."""

    moves: list[tuple[float, float, str]] = field(default_factory=list)

    def hear(self, command: Command, at: float) -> None:
        value = command.value
        assert isinstance(value, int | float)
        assert not isinstance(value, bool)
        assert RULE.low <= value <= RULE.high
        last = self.moves[-1] if self.moves else None
        if last is not None and value == last[0]:
            return
        if last is not None and not command.source.startswith("device:"):
            self._judge(value, at, command.priority, last)
        # What a hand has set at the lamp is there before the room says so.
        self.moves.append((value, at, command.priority))

    def _judge(self, value: float, at: float, who: str, last: tuple[float, float, str]) -> None:
        assert abs(value - last[0]) <= RULE.step + EASE, "step"
        assert at >= last[1] + RULE.dwell_s - EASE, "dwell"
        minute = [m for m in self.moves if at < m[1] + 60.0 - EASE]
        assert len(minute) < RULE.rate_per_min, "rate"
        if who not in AUTOMATIC:
            return
        near = abs(value - last[0]) < RULE.deadband - EASE
        assert not near or value in (RULE.low, RULE.high), "deadband"
        if len(self.moves) > 1 and last[2] in AUTOMATIC and at < last[1] + RULE.settle_s - EASE:
            before = self.moves[-2][0]
            assert (before < last[0]) != (value < last[0]), "hysteresis"


@settings(max_examples=150)
@given(story)
def test_what_goes_out_keeps_every_limit(heard):
    room, lamp, seen, spent = Room(ROOM), Lamp(), 0, 0.0
    for wait, jump, signal in heard:
        room.wait(wait)
        room.wall += jump
        spent += wait
        if isinstance(signal, s.Booted):
            room.mono += 1.0  # nobody comes back in no time
            spent += 1.0
        offset = spent - room.mono
        room.say(s.decode_signal(s.encode_signal(signal)))
        if isinstance(signal, s.Booted):
            room.say(s.ClockChecked("clock", True))
        pairs = list(zip(room.said, room.outcomes, strict=True))[seen:]
        seen = len(room.said)
        for (_, _, now), outcome in pairs:
            for command in outcome.commands:
                if command.actuator == RULE.actuator:
                    lamp.hear(command, now.mono + offset)


def test_a_restart_counts_as_a_change_and_lets_nothing_pass_sooner():
    room = Room(ROOM)
    room.wait(60)
    lights = PluginCommand("e", "light.main", 20.0, 600.0)
    again = Room(ROOM, state=room.state, wall=room.wall + 1, mono=3.0)
    again.say(s.PluginAnswered("plugin:lights", ("e",), (lights,)))
    assert again.last("light.main") == 0
    again.wait(RULE.dwell_s + 0.1)
    assert again.last("light.main") == 20.0
