"""Paused automation: what is stays, plugins and schedule wait, people and safety go on."""

import pytest
from msgspec import structs

from edge.contracts.commands import PluginCommand, Proposal
from edge.contracts.signals import OperatorAsked, PeopleCounted, PluginAnswered, SourceChanged, Woke
from edge.decide.arbiter import hold
from tests.world.room import SETTINGS, Room, meeting

PEOPLE = [PeopleCounted("camera", 3, 0.4)]


def dim(value, lease=7000.0):
    command = PluginCommand("e", "light.main", value, lease)
    return PluginAnswered("plugin:lights", ("e",), (command,))


def pause(seconds=0.0):
    return OperatorAsked("panel", "pause", seconds=seconds)


RESUME = OperatorAsked("panel", "resume")


def commands(room):
    return [(c.actuator, c.value) for o in room.outcomes for c in o.commands]


def paused(seconds=1800.0):
    room = Room()
    room.say(dim(40.0))
    room.wait(5)
    room.say(pause(seconds))
    return room


def test_what_is_given_is_held_by_hand_and_said():
    room = paused()
    given = room.state.given["light.main"]
    assert (given.value, given.source, given.priority) == (40.0, "pause:panel", "manual")
    assert given.reason == "automation is paused"
    assert room.state.modes == ("paused",)
    assert any(n.startswith("mode paused") for d in room.decisions() for n in d.notes)


def test_automation_proposes_and_nothing_moves_until_it_lapses():
    room = paused()
    room.calendar(meeting(start=300))
    room.outcomes.clear()
    room.say(dim(70.0))
    room.wait(1790, PEOPLE)
    assert [c for c in commands(room) if not c[0].startswith("vm/")] == []
    assert "plugin:lights" in {p.source for p in room.state.holdings.values()}
    room.wait(20, PEOPLE)
    assert room.last("light.main") == 70.0
    assert room.last("climate.setpoint") == 21.0
    assert room.state.pause is None
    assert room.state.modes == ()


def test_a_machine_of_a_meeting_is_still_wanted():
    room = paused()
    room.calendar(meeting(start=300))
    assert [m.template for m in room.state.wanted] == ["demo-small"]


def test_resume_gives_back_what_automation_wants_now():
    room = paused()
    room.say(dim(70.0))
    outcome = room.say(RESUME)
    assert ("light.main", 70.0) in [(c.actuator, c.value) for c in outcome.commands]
    assert not [p for p in room.state.holdings.values() if p.source.startswith("pause:")]
    assert room.say(RESUME).commands == ()


def test_people_set_and_give_back_while_it_is_paused():
    room = paused()
    room.say(OperatorAsked("panel", "set", actuator="light.main", value=10, seconds=60))
    assert room.last("light.main") == 10
    room.wait(61)
    assert room.last("light.main") == 40.0, "back to what it was when it was paused"
    room.say(OperatorAsked("panel", "set", actuator="light.main", value=10))
    room.say(OperatorAsked("panel", "release", actuator="light.main"))
    assert room.last("light.main") == 40.0


def test_safety_goes_on():
    room = paused()
    fire = Proposal("light.main", 100, room.mono + 60, "safety:fire", "safety", "c")
    room.state = structs.replace(room.state, holdings=hold(room.state.holdings, [fire]))
    room.say(Woke())
    assert room.last("light.main") == 100
    room.wait(61)
    assert room.last("light.main") == 40.0


def test_while_nothing_is_durable_a_paused_room_stays_as_it_is():
    room = paused()
    room.say(SourceChanged("journal", "lost", "full"))
    assert room.state.modes == ("journal", "paused")
    room.outcomes.clear()
    room.wait(900)
    assert commands(room) == []


def test_pausing_again_holds_what_is_then_for_as_long_as_asked_then():
    room = paused(600.0)
    room.say(OperatorAsked("panel", "set", actuator="light.main", value=10, seconds=7000))
    room.say(pause(1200.0))
    room.say(OperatorAsked("panel", "release", actuator="light.main"))
    room.wait(1100)
    assert room.last("light.main") == 10
    room.wait(101)
    assert room.last("light.main") == 40.0


@pytest.mark.parametrize("seconds", [-1.0, 86_401.0, float("nan"), float("inf")])
def test_a_pause_of_no_sensible_length_is_refused(seconds):
    room = Room()
    outcome = room.say(pause(seconds))
    assert room.state.pause is None
    assert [(v.actuator, v.rule) for v in outcome.decision.verdicts] == [("*", "lease")]
    room.say(pause(60.0))
    before = room.state.pause
    room.say(pause(seconds))
    assert room.state.pause == before


def test_nothing_said_is_an_hour():
    room = Room()
    room.say(pause())
    assert room.state.pause.wall == room.wall + 3600


def test_a_restart_keeps_the_rest_of_a_pause():
    room = paused(1800.0)
    again = Room(state=room.state, wall=room.wall + 600, mono=5.0)
    assert again.last("light.main") == 40.0
    again.wait(1190)
    assert again.last("light.main") == 40.0
    again.wait(20)
    assert again.last("light.main") == 0


@pytest.mark.parametrize("away", [1800.0, 1e6, -2 * 86_400.0])
def test_a_pause_that_is_over_or_nonsense_after_a_restart_is_gone(away):
    room = paused(1800.0)
    again = Room(state=room.state, wall=room.wall + away, mono=5.0)
    assert again.state.pause is None
    assert again.last("light.main") == 0


def test_a_room_is_paused_before_anything_was_given():
    from edge.decide.core import CoreState

    room = Room(SETTINGS, state=CoreState())
    fresh = structs.replace(room.state, given={})
    room.state = fresh
    room.say(pause(60.0))
    room.say(dim(20.0))
    assert "light.main" not in room.state.given
