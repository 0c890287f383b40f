"""What the shipped policy lets happen in a whole room: mutes, meetings, machines."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge.contracts.commands import PluginCommand
from edge.contracts.gating import GateRule
from edge.contracts.signals import (
    NodeReading,
    OperatorAsked,
    PeopleCounted,
    PluginAnswered,
    SoundMeasured,
)
from edge.decide.proposals import Grant, PluginRules
from edge.decide.sky import Place
from tests.world.room import SETTINGS, Room, meeting

PEOPLE = [PeopleCounted("camera", 3, 0.4)]
NOBODY = [PeopleCounted("camera", 0), SoundMeasured("microphone", -60.0, 0.0)]
TEXT = (Path(__file__).parents[2] / "config/policies/room.cedar").read_text()
MUTE = "microphone.mute"
RULES = replace(
    SETTINGS,
    policy=TEXT,
    fallbacks={**SETTINGS.fallbacks, MUTE: "off", "ventilation.level": 0},
    gate=(
        *SETTINGS.gate,
        GateRule(MUTE, values=("on", "off"), rate_per_min=60),
        GateRule("ventilation.level", 0, 100, rate_per_min=60),
    ),
    plugins={
        "plugin:microphone": PluginRules("microphone", (), (Grant(MUTE, values=("on", "off")),)),
    },
    place=Place(timezone="Europe/Berlin"),
)


def unmute(room: Room):
    wish = PluginCommand("e", MUTE, "off", 600.0)
    return room.say(PluginAnswered("plugin:microphone", ("e",), (wish,)))


def mute(room: Room, **more):
    return room.say(OperatorAsked("panel", "set", actuator=MUTE, value="on", seconds=60, **more))


def test_who_muted_the_microphone_is_not_heard_again_though_the_wish_has_lapsed():
    room = Room(RULES)
    room.calendar(meeting(start=10))
    room.wait(30, PEOPLE)
    unmute(room)
    mute(room)
    assert room.last(MUTE) == "on"
    room.wait(120, PEOPLE)
    assert room.last(MUTE) == "on", "its lease is over, the wish is not"
    unmute(room)
    assert room.last(MUTE) == "on"
    denied = {(v.source, v.rule) for d in room.decisions() for v in d.verdicts}
    assert denied == {("plugin:microphone", "mute-respected"), ("schedule", "mute-respected")}
    room.say(OperatorAsked("panel", "set", actuator=MUTE, value="off", seconds=60))
    assert room.last(MUTE) == "off"


def test_who_leaves_the_microphone_to_the_room_again_is_heard():
    room = Room(RULES)
    room.wait(30, PEOPLE)
    mute(room)
    room.wait(10, PEOPLE)
    room.say(OperatorAsked("panel", "release", actuator=MUTE))
    assert room.last(MUTE) == "off"


def test_the_next_people_find_the_microphone_as_the_room_has_it():
    room = Room(RULES)
    room.wait(30, PEOPLE)
    mute(room)
    room.wait(90, PEOPLE)
    assert room.last(MUTE) == "on"
    room.wait(120, NOBODY)
    assert room.last(MUTE) == "off"


def test_consent_keeps_the_microphone_muted():
    room = Room(RULES)
    room.wait(30, PEOPLE)
    room.say(OperatorAsked("panel", "consent", value="counts"))
    mute(room)
    room.wait(120, NOBODY)
    assert room.last(MUTE) == "on"
    room.say(OperatorAsked("panel", "consent", value="all"))
    assert room.last(MUTE) == "off"


def test_used_up_air_keeps_the_ventilation_on_while_somebody_breathes_it():
    room = Room(RULES)
    bad = [NodeReading("board", "co2", 1490.0)]
    room.wait(30, [*PEOPLE, *bad])
    on = OperatorAsked("panel", "set", actuator="ventilation.level", value=60, seconds=60)
    room.say(on)
    room.wait(90, [*PEOPLE, *bad])
    assert room.last("ventilation.level") == 60
    room.wait(30, [*PEOPLE, NodeReading("board", "co2", 700.0)])
    assert room.last("ventilation.level") == 0


def own(*policies: str) -> Room:
    text = '@id("set") permit(principal, action == Action::"set", resource);'
    return Room(replace(RULES, policy=text + "".join(policies)))


ENDS = '@id("ends") permit(principal is {}, action == Action::"{}", resource){};'


@pytest.mark.parametrize(("allowed", "phase"), [(True, "no_show"), (False, "open")])
def test_the_schedule_gives_the_room_back_only_where_the_policy_lets_it(allowed, phase):
    room = own(ENDS.format("Schedule", "release_room", "")) if allowed else own()
    room.calendar(meeting(start=60))
    room.wait(720, NOBODY)
    assert room.state.lives["m1/"].phase == phase


@pytest.mark.parametrize(("allowed", "phase"), [(True, "ended"), (False, "active")])
def test_the_schedule_ends_an_empty_meeting_only_where_the_policy_lets_it(allowed, phase):
    room = own(ENDS.format("Schedule", "end_meeting", "")) if allowed else own()
    room.calendar(meeting(start=10))
    room.wait(60, PEOPLE)
    room.wait(300, NOBODY)
    assert room.state.lives["m1/"].phase == phase


def test_a_person_ends_a_meeting_only_where_and_when_the_policy_lets_them():
    # 1_780_000_000 is 22:26 in Berlin.
    for when, phase in [("minute >= 1346", "ended"), ("minute < 1346", "active")]:
        condition = f" when {{ context.{when} && context.active && context.weekday == 3 }}"
        room = own(ENDS.format("Person", "end_meeting", condition))
        room.calendar(meeting(start=10))
        room.wait(60, PEOPLE)
        outcome = room.say(OperatorAsked("panel", "end"))
        assert room.state.lives["m1/"].phase == phase
        if phase == "active":
            verdict = outcome.decision.verdicts[0]
            assert (verdict.rule, verdict.value) == ("no permit", "end_meeting")


def test_a_machine_that_is_too_dear_is_not_asked_for():
    for cost, machines in [(5.0, 1), (5.01, 0)]:
        room = Room(replace(RULES, costs={"demo-small": cost}))
        outcome = room.calendar(meeting())
        assert len(room.state.wanted) == machines
        rules = [v.rule for v in outcome.decision.verdicts]
        assert rules == ([] if machines else ["machine-within-budget"])
