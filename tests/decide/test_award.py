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


def test_a_step_too_far_falls_back_to_the_next_in_line():
    room = room_with(step=10.0)
    assert room.last("light.main") == 0
    assert rules(room.say(by_hand(50))) == ["step"]
    assert [c.value for c in room.say(by_hand(10)).commands] == [10]


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
