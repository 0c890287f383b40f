"""Whatever the room hears: it never raises, replays the same, and moves only what it may."""

import math
from dataclasses import replace
from itertools import groupby

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.actuators.gate import Gate
from edge.contracts import signals as s
from edge.contracts.commands import PluginCommand
from edge.contracts.wire import MachineReport
from edge.decide.core import ANSWER_S, CoreState
from edge.steps import encode_decision
from tests.world.room import EPOCH, SETTINGS, Room, meeting

GATE = Gate(SETTINGS.gate)
sources = st.sampled_from(["camera", "panel", "plugin:lights", "plugin:x", "board", "loop"])
numbers = st.one_of(st.integers(-5, 105), st.floats(-5, 105), st.floats(allow_nan=False))
numbers = numbers.filter(math.isfinite)
values = st.one_of(numbers, st.booleans(), st.sampled_from(["all", "off", "demo-small", ""]))
actuators = st.sampled_from(["light.main", "climate.setpoint", "vm/x", "door.lock", 'a"b\\'])
meetings = st.builds(
    lambda uid, start, length, tag, cancelled: s.Meeting(
        uid, EPOCH + start * 60, EPOCH + (start + length) * 60,
        categories=(tag,), cancelled=cancelled, title="x",
    ),
    st.sampled_from("ab"), st.integers(-10, 60), st.integers(-1, 90),
    st.sampled_from(["demo", "quiet", ""]), st.booleans(),
)  # fmt: skip
commands = st.builds(PluginCommand, st.just("e"), actuators, values, numbers)
reports = st.builds(
    MachineReport, st.just("k"), st.just("a/"), st.just("demo-small"),
    st.sampled_from(["ready", "failed", "gone"]), st.just(EPOCH),
)  # fmt: skip
signals = st.one_of(
    st.just(s.Woke()),
    st.builds(s.Booted, sources, st.integers(1, 3), st.just("h")),
    st.builds(s.ClockChecked, sources, st.booleans()),
    st.builds(s.PeopleCounted, sources, st.integers(-1, 5)),
    st.builds(s.SoundMeasured, sources, numbers, st.floats(0, 1), st.floats(-1, 2)),
    st.builds(s.ContactChanged, sources, st.sampled_from(["window", "door"]), st.booleans()),
    st.builds(s.NodeReading, sources, st.sampled_from(["co2", "temperature"]), numbers),
    st.builds(s.MotionChanged, sources, st.booleans(), st.booleans(), st.booleans()),
    st.builds(s.OccupancyEstimated, sources, st.floats(-1, 2), st.just("m")),
    st.builds(s.CalendarRead, sources, st.lists(meetings, max_size=3).map(tuple)),
    st.builds(
        s.CalendarWritten, sources, st.integers(1, 30).map(lambda n: f"aurora-1-{n}.w0"),
        st.sampled_from(["ok", "conflict", "failed"]),
    ),
    st.builds(s.SourceChanged, sources, st.sampled_from(["ok", "lost"])),
    st.builds(s.DeviceReported, sources, actuators, values),
    st.builds(s.PluginAnswered, sources, st.just(("e",)), st.tuples(commands, commands)),
    st.builds(s.PluginFailed, sources, st.just(("e",)), st.just("trap")),
    st.builds(s.MachineChanged, sources, st.lists(reports, max_size=2).map(tuple)),
    st.builds(
        s.OperatorAsked, sources,
        st.sampled_from(["check_in", "extend", "end", "book", "set", "release", "consent"]),
        who=st.sampled_from(["panel", 'x"y', "a\nb"]), meeting=st.sampled_from(["", "a/"]),
        actuator=actuators, value=values, seconds=st.one_of(st.just(0.0), numbers),
    ),
)  # fmt: skip
story = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 7.0, 90.0]), signals), max_size=25)


@settings(max_examples=60)
@given(story)
def test_whatever_is_heard_only_listed_actuators_move_inside_their_limits(heard):
    room = Room()
    for wait, signal in heard:
        room.wait(wait)
        # What crosses the journal is what is decided on.
        room.say(s.decode_signal(s.encode_signal(signal)))
        assert room.core.next_due(room.state, room.now) >= room.mono
    for (_, _, now), outcome in zip(room.said, room.outcomes, strict=True):
        for command in outcome.commands:
            answer = GATE.check(command.actuator, command.value, "safety", None, 0.0)
            assert answer.passed, command
            assert command.until >= now.wall


@settings(max_examples=25)
@given(story)
def test_the_same_signals_give_the_same_decisions_byte_for_byte(heard):
    room = Room()
    for wait, signal in heard:
        room.wait(wait)
        room.say(s.decode_signal(s.encode_signal(signal)))
    fresh = Room().core
    state = CoreState()
    for (signal, ident, now), outcome in zip(room.said, room.outcomes, strict=True):
        state, again = fresh.step(state, signal, ident, now)
        assert again == outcome
        if outcome.decision is not None:
            assert encode_decision(again.decision) == encode_decision(outcome.decision)
    kept = msgspec.json.decode(msgspec.json.encode(room.state), type=CoreState)
    assert kept == room.state == state


moves = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans()), min_size=1, max_size=12
)


def full_of(people: bool, hold_s: float = 60.0) -> Room:
    """Return a room whose meeting has begun, in which one motion makes it occupied."""
    room = Room(replace(SETTINGS, fusion=replace(SETTINGS.fusion, hold_s=hold_s)))
    room.calendar(meeting(start=60, minutes=30))
    room.wait(70, [s.PeopleCounted("camera", 2)] if people else [])
    room.wait(120)
    return room


@settings(max_examples=60)
@given(moves, st.booleans(), st.sampled_from([0.0, 60.0]))
def test_a_crowd_that_is_decided_once_ends_where_one_by_one_does(heard, people, hold_s):
    apart, together = full_of(people, hold_s), full_of(people, hold_s)
    begun = len(apart.outcomes)
    for number, (board, active) in enumerate(heard):
        apart.say(s.MotionChanged(board, active))
        together.say(s.MotionChanged(board, active, number < len(heard) - 1))
        if together.state.undecided is not None:
            assert together.outcomes[-1].decision is None
            assert together.core.next_due(together.state, together.now) == together.mono
    assert together.state.undecided is None
    assert together.state.room == apart.state.room
    assert {k: life.phase for k, life in together.state.lives.items()} == {
        k: life.phase for k, life in apart.state.lives.items()
    }
    assert together.verbs() == apart.verbs()
    assert {k: c.value for k, c in together.state.given.items()} == {
        k: c.value for k, c in apart.state.given.items()
    }
    assert told(together, begun) == told(apart, begun)


def told(room: Room, begun: int) -> list[bool]:
    """What plugins hear of presence, each change once: the check-in comes with another of them."""
    calls = [call for outcome in room.outcomes[begun:] for call in outcome.calls]
    return [occupied for occupied, _ in groupby(call.event.occupied for call in calls)]


def test_what_a_crowd_changed_is_noted_with_its_decision():
    room = Room()
    first = room.say(s.MotionChanged("a", True, with_next=True))
    assert (first.decision, room.state.room.presence.occupied) == (None, True)
    (call,) = first.calls
    assert (call.event.kind, call.event.occupied) == ("presence", True)
    decision = room.say(s.MotionChanged("b", True)).decision
    assert [note for note in decision.notes if note.startswith("room is occupied")]


def test_what_no_other_edge_follows_is_decided_at_the_next_waking():
    room = Room()
    room.say(s.MotionChanged("a", True, with_next=True))
    decision = room.say(s.Woke()).decision
    assert [note for note in decision.notes if note.startswith("room is occupied")]
    assert room.say(s.Woke()).decision is None


@pytest.mark.parametrize("waits", [{"with_next": True}, {"with_answer": True}])
def test_who_comes_for_a_meeting_in_a_crowd_checks_it_in(waits):
    room = full_of(people=False)
    room.say(s.MotionChanged("a", True, **waits))
    assert "check_in" in room.verbs()


def test_what_plugins_hear_of_is_decided_with_their_answer():
    room = Room()
    first = room.say(s.MotionChanged("a", True, with_answer=True))
    assert (first.decision, room.state.room.presence.occupied) == (None, True)
    (call,) = first.calls
    bright = PluginCommand(call.event.id, "light.main", 80.0, lease_s=60.0)
    answer = s.PluginAnswered(call.plugin, (call.event.id,), (bright,))
    decision = room.say(answer).decision
    assert [note for note in decision.notes if note.startswith("room is occupied")]
    assert [command.value for command in decision.commands] == [80.0]
    assert room.state.undecided is None


def test_what_no_plugin_hears_of_is_decided_at_once():
    room = Room()
    room.say(s.MotionChanged("a", True))
    room.wait(1)
    # Nobody came or left: no plugin is told.
    outcome = room.say(s.MotionChanged("b", True, with_answer=True))
    assert (outcome.calls, room.state.undecided) == ((), None)


def test_what_an_earlier_version_had_left_undecided_keeps_no_state_from_being_read():
    room = Room()
    room.say(s.OperatorAsked("panel", "consent", value="off"))
    kept = msgspec.json.decode(msgspec.json.encode(room.state))
    kept["undecided"] = kept["room"]
    state = msgspec.convert(kept, CoreState)
    assert state == room.state


def test_an_answer_that_does_not_come_is_waited_for_only_so_long():
    (rules,) = SETTINGS.plugins.values()
    room = Room(replace(SETTINGS, plugins={"plugin:lights": replace(rules, tick_s=0.0)}))
    room.say(s.MotionChanged("a", True, with_answer=True))
    due = room.mono + ANSWER_S
    assert room.core.next_due(room.state, room.now) == due
    # Who goes on to move does not put it off.
    room.mono += 0.2
    room.say(s.MotionChanged("a", False, with_answer=True))
    room.say(s.MotionChanged("a", True, with_answer=True))
    assert room.core.next_due(room.state, room.now) == due
    room.mono = due
    decision = room.say(s.Woke()).decision
    assert [note for note in decision.notes if note.startswith("room is occupied")]


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400, 1e300, "\ud800", '"\\\n'])
def test_a_hostile_value_at_the_panel_is_refused_not_raised(value):
    room = Room()
    for actuator in ("light.main", "door", "a\nb"):
        room.say(s.OperatorAsked("panel", "set", actuator=actuator, value=value))
    assert room.last("light.main") == 0
