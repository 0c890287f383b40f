"""What hands set at a device holds; what follows late, rounds, bounces or is stale does not."""

from dataclasses import replace

import pytest
from msgspec import structs

from edge.contracts.commands import PluginCommand
from edge.contracts.gating import GateRule, rule_of
from edge.contracts.signals import (
    Booted,
    ClockChecked,
    DeviceReported,
    OperatorAsked,
    PluginAnswered,
    SourceChanged,
    Woke,
)
from edge.decide.devices import BOUNCE_S, SETTLE_S, near, spoken
from tests.world.room import SETTINGS, Room, meeting

HAND = "device:ceiling"
LIGHT = GateRule("light.main", 0, 100)


def said(value, actuator="light.main", source=HAND):
    return DeviceReported(source, actuator, value)


def dim(value, lease=3600.0):
    command = PluginCommand("e", "light.main", value, lease)
    return PluginAnswered("plugin:lights", ("e",), (command,))


def settled(value=40.0, room=None):
    """A room whose lamp follows a plugin and has for a while."""
    room = room or Room()
    room.say(dim(value))
    room.say(said(value))
    room.wait(SETTLE_S)
    return room


def held(room, actuator="light.main"):
    """What a hand at a device holds."""
    return [
        p.value for p in room.state.holdings.values()
        if p.source.startswith("device:") and p.actuator == actuator
    ]  # fmt: skip


def test_what_a_hand_sets_at_the_device_holds_for_its_time_and_says_so():
    room = settled()
    room.say(said(0))
    assert held(room) == [], "not before it has lasted a moment"
    room.wait(BOUNCE_S + 0.01)
    given = room.state.given["light.main"]
    assert (given.value, given.source, given.priority) == (0, HAND, "manual")
    assert given.reason == "set at the device"
    assert given.until == pytest.approx(room.wall + SETTINGS.hold_s, abs=0.1)
    assert room.say(dim(45.0, 60.0)).commands == (), "a plugin does not take it back"
    room.wait(3000)
    assert room.last("light.main") == 0
    room.wait(600)
    assert room.last("light.main") == 0, "the plugin's own lease is over, the schedule rests"
    assert room.state.given["light.main"].priority == "schedule"


def test_the_gate_learns_where_the_hand_has_put_it_and_no_ramp_takes_it_back():
    limits = tuple(
        replace(r, step=10.0, dwell_s=2.0) if r.actuator == "light.main" else r
        for r in SETTINGS.gate
    )
    room = Room(replace(SETTINGS, gate=limits))
    room.wait(3)
    room.say(dim(10.0))
    room.say(said(10.0))
    room.wait(SETTLE_S)
    room.say(said(90))
    room.outcomes.clear()
    room.wait(20)
    assert [c.value for o in room.outcomes for c in o.commands] == [90]
    assert room.state.gate["light.main"].value == 90


@pytest.mark.parametrize("first", [0, 100])
def test_the_same_hand_may_change_its_mind_at_once(first):
    room = settled()
    room.say(said(first))
    room.wait(BOUNCE_S + 0.01)
    room.say(said(60))
    room.wait(BOUNCE_S + 0.01)
    assert room.last("light.main") == 60
    assert held(room) == [60]


def test_a_switch_that_bounces_counts_as_what_it_ends_at():
    room = settled()
    for value in (0, 40, 0, 40, 0):
        room.say(said(value))
        room.wait(0.05)
    room.wait(1)
    assert held(room) == [0]
    room = settled()
    for value in (0, 40, 0, 40):
        room.say(said(value))
        room.wait(0.05)
    room.wait(10)
    assert held(room) == []


@pytest.mark.parametrize("value", [38, 42, 40.4])
def test_what_rounds_has_followed(value):
    room = settled()
    room.say(said(value))
    room.wait(10)
    assert held(room) == []


def test_a_fade_and_a_slow_device_are_no_hand():
    room = settled()
    room.say(dim(90.0))
    for value in (40, 55, 70, 90, 60, 75, 90):
        room.say(said(value))
        room.wait(0.6)
    room.wait(20)
    assert held(room) == []


def test_a_device_that_never_followed_is_the_drivers_to_bring_in_line():
    room = Room()
    room.say(dim(40.0))
    room.say(said(0))
    room.wait(60)
    room.say(said(1.0))
    room.wait(60)
    assert held(room) == []
    assert room.last("light.main") == 40.0


def test_a_stale_retained_report_after_a_restart_is_no_hand():
    room = settled()
    again = Room(state=room.state, wall=room.wall + 30, mono=7.0)
    again.say(dim(40.0))
    again.say(SourceChanged(HAND, "ok"))
    again.say(said(0))
    again.wait(30)
    assert held(again) == []
    assert again.last("light.main") == 40.0


def test_what_said_the_right_thing_only_from_before_is_not_believed_at_once():
    room = settled()
    again = Room(state=room.state, wall=room.wall + 30, mono=7.0)
    again.say(dim(40.0))
    assert again.state.room.reported["light.main"] == 40.0
    again.wait(SETTLE_S - 0.1)
    again.say(said(0))
    again.wait(5)
    assert held(again) == []


@pytest.mark.parametrize("source", [HAND, "broker:room"])
@pytest.mark.parametrize("health", ["lost", "ok"])
def test_what_a_device_says_as_it_comes_back_is_no_hand(source, health):
    room = settled()
    room.say(SourceChanged(source, health, "away"))
    room.say(said(100))
    room.wait(10)
    assert held(room) == []


def test_other_sources_in_trouble_change_nothing():
    room = settled()
    room.say(SourceChanged("camera", "lost", "away"))
    room.say(said(100))
    room.wait(1)
    assert held(room) == [100]


def test_a_restart_in_the_middle_forgets_what_was_about_to_be_a_hand():
    room = settled()
    room.say(said(0))
    room.say(Booted("loop", 2, "h"))
    room.say(ClockChecked("clock", True))
    room.wait(10)
    assert held(room) == []


def test_a_hold_survives_a_restart_for_the_rest_of_its_time():
    room = settled()
    room.say(said(0))
    room.wait(1)
    again = Room(state=room.state, wall=room.wall + 60, mono=7.0)
    assert again.state.given["light.main"].source == HAND
    again.wait(SETTINGS.hold_s - 70)
    assert again.state.given["light.main"].source == HAND
    again.wait(20)
    assert again.state.given["light.main"].source == "schedule"


def test_the_panel_gives_back_what_was_set_at_the_device_too():
    room = settled()
    room.say(said(0))
    room.wait(1)
    room.say(OperatorAsked("panel", "set", actuator="light.main", value=70))
    assert room.last("light.main") == 70, "the later hand counts"
    room.say(said(70))
    room.say(OperatorAsked("panel", "release", actuator="light.main"))
    assert room.last("light.main") == 40.0
    assert held(room) == []


def test_what_the_room_may_not_be_is_set_back():
    room = Room()
    room.say(said(18.0, "climate.setpoint", "device:valve"))
    room.wait(SETTLE_S + 1)
    room.say(said(29.5, "climate.setpoint", "device:valve"))
    room.wait(2)
    assert held(room, "climate.setpoint") == []
    assert room.last("climate.setpoint") == 18.0
    rules = [v.rule for d in room.decisions() for v in d.verdicts]
    assert rules == ["life-temperature"], "and it is said once"


def test_safety_is_not_overruled_at_the_device():
    from edge.contracts.commands import Proposal
    from edge.decide.arbiter import hold

    room = Room()
    fire = Proposal("light.main", 100, 1e9, "safety:fire", "safety", "c")
    room.state = structs.replace(room.state, holdings=hold(room.state.holdings, [fire]))
    room.say(Woke())
    room.say(said(100))
    room.wait(SETTLE_S)
    room.say(said(0))
    room.wait(5)
    assert held(room) == []


def test_while_nothing_becomes_durable_no_hand_is_taken():
    room = settled()
    room.say(SourceChanged("journal", "lost", "full"))
    room.say(said(0))
    room.wait(5)
    assert held(room) == []


def test_a_meeting_that_begins_does_not_take_it_back():
    room = Room()
    room.calendar(meeting(start=600, categories=("quiet",)))
    room.wait(10)
    room.say(said(0))
    room.wait(SETTLE_S)
    room.say(said(30))
    room.wait(700)
    assert room.last("light.main") == 30


@pytest.mark.parametrize(
    ("reported", "wanted", "rule", "expected"),
    [
        (True, "on", GateRule("d", values=("on", "off")), True),
        (False, "on", GateRule("d", values=("on", "off")), False),
        ("home", "home", GateRule("d", values=("home",)), True),
        ("home", 1, GateRule("d", 0, 1), False),
        (True, 1, GateRule("d", 0, 1), True),
        (False, 1, GateRule("d", 0, 1), False),
        (21.5, 21.3, GateRule("d", 15, 28), True),
        (21.5, 21.0, GateRule("d", 15, 28), False),
        (10**400, 21.0, GateRule("d", 15, 28), False),
    ],
)
def test_near_enough_is_followed(reported, wanted, rule, expected):
    assert near(spoken(reported, rule), wanted, rule) is expected


def test_a_rule_is_found_by_name_before_by_beginning():
    rules = (GateRule("light.*", 0, 1), GateRule("light.main", 0, 2), GateRule("li*", 0, 3))
    assert rule_of(rules, "light.main") == rules[1]
    assert rule_of(rules, "light.desk") == rules[0]
    assert rule_of(rules, "blind") is None
