"""From leases to commands: who falls through, who is told no, when a lease is renewed."""

from dataclasses import replace

import pytest

from edge.contracts.commands import PluginCommand
from edge.contracts.gating import GateRule
from edge.contracts.signals import ClockChecked, OperatorAsked, PeopleCounted, PluginAnswered, Woke
from tests.world.room import SETTINGS, Room, meeting

PLUGIN = "plugin:lights"


def by_hand(value, actuator="light.main", seconds=0.0):
    return OperatorAsked("panel", "set", actuator=actuator, value=value, seconds=seconds)


def by_plugin(value, lease=60.0, actuator="light.main"):
    return PluginAnswered(PLUGIN, ("e",), (PluginCommand("e", actuator, value, lease),))


def room_with(policy=SETTINGS.policy, **gate):
    rules = tuple(
        replace(rule, **gate) if rule.actuator == "light.main" else rule for rule in SETTINGS.gate
    )
    return Room(replace(SETTINGS, gate=rules, policy=policy))


def rules(outcome):
    return [] if outcome.decision is None else [v.rule for v in outcome.decision.verdicts]


@pytest.mark.parametrize("value", [101, -1, "on", True])
def test_a_wish_that_can_never_pass_does_not_hold_the_actuator(value):
    room = Room()
    assert rules(room.say(by_hand(value))) == ["range"]
    assert all(p.source != "person:panel" for p in room.state.holdings.values())
    outcome = room.say(by_plugin(40.0))
    assert [c.value for c in outcome.commands] == [40.0]
    assert rules(room.say(by_hand(value))) == ["range"], "who asks again is answered again"


def test_what_is_not_an_actuator_is_refused_and_forgotten():
    room = Room()
    for number in range(5):
        assert rules(room.say(by_hand(1, f"door.{number}"))) == ["not listed"]
    assert {p.actuator for p in room.state.holdings.values()} == {"light.main", "climate.setpoint"}


def test_a_person_who_may_not_is_told_each_time_and_the_wish_does_not_lurk():
    room = Room()
    for _ in range(2):
        assert rules(room.say(by_hand(31.0, "climate.setpoint"))) == ["life-temperature"]
    assert "climate.setpoint|person:panel" not in room.state.holdings


def test_a_plugin_that_may_not_is_told_once():
    text = SETTINGS.policy + '@id("dim") forbid(principal is Plugin, action, resource);'
    room = room_with(policy=text)
    assert rules(room.say(by_plugin(40.0))) == ["dim"]
    assert rules(room.say(by_plugin(40.0))) == []
    assert rules(room.say(by_plugin(41.0))) == ["dim"]


def moves(room, actuator="light.main"):
    return [c.value for o in room.outcomes for c in o.commands if c.actuator == actuator]


def test_the_schedule_reaches_in_steps_what_lies_too_far_for_one():
    room = room_with(step=30.0)
    room.wait(5)
    room.outcomes.clear()
    room.calendar(meeting(start=60))
    room.wait(30)
    assert moves(room) == [30, 60, 80]
    last = room.state.given["light.main"]
    assert (last.toward, last.reason) == (None, "pending meeting, live-demo")
    assert room.state.denied == {}, "a ramp is no refusal"


def test_a_hand_reaches_in_steps_what_lies_too_far_for_one_and_turns_at_once():
    room = room_with(step=10.0)
    room.wait(5)
    room.outcomes.clear()
    assert rules(room.say(by_hand(30))) == []
    first = room.state.given["light.main"]
    assert (first.value, first.toward, first.source) == (10, 30, "person:panel")
    assert first.reason == "set by hand; on the way to 30, at most 10 at once"
    room.wait(3)
    room.say(by_hand(5))
    room.wait(10)
    assert moves(room) == [10, 20, 10, 5]
    room.outcomes.clear()
    room.wait(60)
    assert moves(room) == [], "once there, nothing is said again"


def test_a_change_not_worth_a_move_keeps_the_value_under_the_new_lease():
    room = room_with(deadband=5.0)
    room.say(by_plugin(40.0))
    outcome = room.say(by_plugin(42.0))
    assert outcome.commands == ()
    room.wait(50)
    outcome = room.say(by_plugin(42.0, lease=120.0))
    assert [(c.value, c.toward) for c in outcome.commands] == [(40.0, 42.0)]
    assert [c.value for c in room.say(by_plugin(46.0)).commands] == [46.0]
    assert [c.value for c in room.say(by_hand(45.0)).commands] == [45.0]


def test_automation_that_wavers_is_held_back_and_a_person_is_not():
    room = room_with(settle_s=20.0)
    room.say(by_plugin(40.0))
    assert rules(room.say(by_plugin(0.0))) == ["settle"]
    room.wait(10)
    assert room.last("light.main") == 40.0
    assert room.say(by_plugin(50.0)).commands[0].value == 50.0
    assert room.say(by_hand(10)).commands[0].value == 10
    assert room.say(OperatorAsked("panel", "release", actuator="light.main")).commands
    assert room.last("light.main") == 50.0, "what a person changed is given back at once"


def test_a_wish_that_comes_too_soon_waits_and_is_said_once():
    room = room_with(dwell_s=5.0)
    room.wait(5.0)
    room.say(by_hand(10))
    outcome = room.say(by_hand(20))
    assert rules(outcome) == ["dwell"]
    assert rules(room.say(Woke())) == []
    assert room.last("light.main") == 10
    room.wait(5.01)
    assert room.last("light.main") == 20


def test_true_after_one_is_another_wish():
    room = Room()
    room.say(by_hand(1))
    assert rules(room.say(by_hand(True))) == ["range"]


@pytest.mark.parametrize("seconds", [-1.0, 86_401.0, float("inf"), float("nan")])
def test_a_lease_of_no_sensible_length_is_refused(seconds):
    room = Room()
    assert rules(room.say(by_hand(20, seconds=seconds))) == ["lease"]
    assert rules(room.say(by_plugin(20.0, lease=seconds))) == ["lease"]
    assert rules(room.say(by_plugin(20.0, lease=0.0))) == ["lease"]
    assert room.last("light.main") == 0


@pytest.mark.parametrize("value", ["on", True, 101.0, -0.1, float("nan")])
def test_a_plugin_gets_no_further_than_its_manifest(value):
    assert rules(Room().say(by_plugin(value))) == ["manifest"]


def test_a_named_grant_lists_what_may_be_set():
    from edge.decide.proposals import Grant, PluginRules

    grant = Grant("light.main", values=("soft", "bright"))
    plugins = {PLUGIN: PluginRules("lights", (), (grant,))}
    gate = (GateRule("light.main", values=("soft", "bright", "off")),)
    room = Room(replace(SETTINGS, plugins=plugins, gate=gate, fallbacks={"light.main": "off"}))
    assert rules(room.say(by_plugin("off"))) == ["manifest"]
    assert [c.value for c in room.say(by_plugin("soft")).commands] == ["soft"]


def test_an_unknown_plugin_may_nothing():
    answer = PluginAnswered("plugin:new", ("e",), (PluginCommand("e", "light.main", 1.0, 9.0),))
    assert rules(Room().say(answer)) == ["manifest"]


def test_the_schedule_is_renewed_when_two_thirds_are_used_and_not_more_often():
    room = Room()
    room.outcomes.clear()
    room.wait(3599)
    given = [c for o in room.outcomes for c in o.commands if c.actuator == "light.main"]
    assert len(given) == 8
    assert given[-1].until > room.wall


def test_a_schedule_that_policy_forbids_does_not_keep_the_room_awake():
    text = (
        SETTINGS.policy
        + """
      @id("never-dark") forbid(principal is Schedule, action, resource)
      when { context.class == "light" && context.occupied && context.value10 == 0 };"""
    )
    room = room_with(policy=text)
    people = [PeopleCounted("camera", 2)]
    room.wait(10, people)
    room.outcomes.clear()
    room.wait(1200, people)
    assert len(room.outcomes) < 1200 / 5 + 200
    assert not [c for o in room.outcomes for c in o.commands if c.actuator == "light.main"]


def test_a_machine_is_given_again_after_a_restart_and_the_snapshot_with_it():
    room = Room()
    room.calendar(meeting())
    machine = next(a for a in room.state.given if a.startswith("vm/"))
    again = Room(state=room.state, wall=room.wall + 60, mono=5.0)
    assert machine in {c.actuator for o in again.outcomes for c in o.commands}
    snapshots = [o.wanted for o in again.outcomes if o.wanted is not None]
    assert [len(s.machines) for s in snapshots] == [1]


def test_a_machine_that_went_while_the_room_was_off_is_taken_back():
    room = Room()
    room.calendar(meeting(start=60, minutes=5))
    again = Room(state=room.state, wall=room.wall + 9000, mono=5.0)
    snapshots = [o.wanted for o in again.outcomes if o.wanted is not None]
    assert [s.machines for s in snapshots] == [()]
    assert snapshots[0].version > room.state.wanted_version


def test_a_restart_drops_the_leases_of_plugins_and_what_a_person_chose_too_long_ago():
    room = Room()
    room.say(by_plugin(40.0))
    assert room.last("light.main") == 40.0
    assert Room(state=room.state, wall=room.wall, mono=5.0).last("light.main") == 0
    room.say(by_hand(25, seconds=600.0))
    assert Room(state=room.state, wall=room.wall + 599, mono=5.0).last("light.main") == 25
    assert Room(state=room.state, wall=room.wall + 601, mono=5.0).last("light.main") == 0


def test_a_start_gives_no_command_before_the_clock_was_checked():
    room = Room()
    room.calendar(meeting(start=60))
    room.wait(120, [PeopleCounted("camera", 2)])
    assert room.last("light.main") == 80
    again = Room(state=room.state, wall=room.wall + 5, mono=5.0)
    booted, checked = again.outcomes
    assert (booted.commands, booted.calls, booted.wanted) == ((), (), None)
    assert {c.actuator: c.value for c in checked.commands}["light.main"] == 80


def test_no_snapshot_goes_out_while_the_clock_is_wrong():
    room = Room()
    room.calendar(meeting())
    room.say(ClockChecked("clock", False, "1970"))
    room.outcomes.clear()
    room.calendar()
    assert [o.wanted for o in room.outcomes] == [None]
    room.say(ClockChecked("clock", True))
    assert room.outcomes[-1].wanted.machines == ()
