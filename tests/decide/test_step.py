"""One meeting through every pure part, with a clock turned by hand."""

import msgspec

from edge.contracts.commands import PluginCommand
from edge.contracts.signals import (
    MachineChanged,
    OperatorAsked,
    PeopleCounted,
    PluginAnswered,
    SoundMeasured,
)
from edge.contracts.wire import MachineReport
from edge.decide.core import CoreState
from edge.steps import encode_decision
from tests.world.room import EPOCH, Room, meeting

PEOPLE = [PeopleCounted("camera", 3, 0.4), SoundMeasured("microphone", -30.0, 0.9)]
NOBODY = [PeopleCounted("camera", 0), SoundMeasured("microphone", -60.0, 0.0)]


def wanted(room: Room):
    return [o.wanted for o in room.outcomes if o.wanted is not None]


def test_a_meeting_lives_from_booking_to_release():
    room = Room()
    room.calendar(meeting(start=600, minutes=5))
    assert room.verbs() == ["accept"]
    first = wanted(room)[-1]
    assert [(m.template, m.start) for m in first.machines] == [("demo-small", EPOCH + 600)]
    assert first.machines[0].title == "", "a title leaves the room only where the policy says so"
    assert room.last("light.main") == 0

    room.wait(310, NOBODY)
    assert room.last("light.main") == 80, "the room is prepared lead_s before the start"
    room.wait(300, NOBODY)
    room.wait(60, PEOPLE)
    assert "check_in" in room.verbs()
    assert room.state.lives["m1/"].phase == "active"

    room.wait(260, PEOPLE)
    assert "extend" in room.verbs()
    assert wanted(room)[-1].machines[0].end == EPOCH + 600 + 300 + 600

    room.wait(120, NOBODY)
    assert room.state.lives["m1/"].phase == "ended"
    assert room.verbs()[-1] == "end"
    assert wanted(room)[-1].machines == ()
    assert room.last("light.main") == 0


def test_a_plugin_outranks_the_schedule_until_its_lease_lapses():
    room = Room()
    room.calendar(meeting(start=60))
    room.wait(100, PEOPLE)
    assert room.last("light.main") == 80
    lamp = PluginCommand("aurora-1-9", "light.main", 45.0, 60.0, "daylight")
    outcome = room.say(PluginAnswered("plugin:lights", ("aurora-1-9",), (lamp,), state="s"))
    assert [c.value for c in outcome.commands] == [45.0]
    assert outcome.commands[0].cause == "aurora-1-9"
    assert room.state.plugin_state == {"plugin:lights": "s"}
    room.wait(61, PEOPLE)
    assert room.last("light.main") == 80


def test_what_a_manifest_does_not_grant_is_refused_and_said_so():
    room = Room()
    wish = PluginCommand("e", "climate.setpoint", 21.0, 60.0)
    outcome = room.say(PluginAnswered("plugin:lights", ("e",), (wish,)))
    assert [(v.rule, v.allowed) for v in outcome.decision.verdicts] == [("manifest", False)]
    assert outcome.commands == ()


def test_policy_forbids_what_no_permit_overrides():
    room = Room()
    wish = OperatorAsked("panel", "set", actuator="climate.setpoint", value=31.0)
    outcome = room.say(wish)
    assert [v.rule for v in outcome.decision.verdicts] == ["life-temperature"]
    assert room.last("climate.setpoint") == 18.0


def test_a_manual_choice_holds_for_its_time_and_is_released_on_wish():
    room = Room()
    room.say(OperatorAsked("panel", "set", actuator="light.main", value=25, seconds=600))
    assert room.last("light.main") == 25
    room.say(OperatorAsked("panel", "release", actuator="light.main"))
    assert room.last("light.main") == 0
    room.say(OperatorAsked("panel", "set", actuator="light.main", value=30, seconds=60))
    room.wait(61)
    assert room.last("light.main") == 0


def test_machine_status_is_one_more_signal():
    room = Room()
    report = MachineReport("k" * 36, "m1/", "demo-small", "ready", EPOCH, "127.0.0.1:1")
    decision = room.say(MachineChanged("service", (report,))).decision
    assert decision.notes == ("machine kkkkkkkk is ready",)


def test_the_same_signals_give_the_same_decisions_and_the_state_survives_json():
    room = Room()
    room.calendar(meeting(start=60, minutes=5))
    room.wait(200, PEOPLE)
    room.wait(400, NOBODY)
    state = CoreState()
    for (signal, ident, now), outcome in zip(room.said, room.outcomes, strict=True):
        raw = msgspec.json.encode(state)
        state, again = room.core.step(msgspec.json.decode(raw, type=CoreState), signal, ident, now)
        assert again == outcome
        if outcome.decision is not None:
            assert encode_decision(again.decision) == encode_decision(outcome.decision)


def test_a_restart_gives_every_command_again_and_keeps_what_a_person_chose():
    room = Room()
    room.calendar(meeting(start=60, minutes=60))
    room.wait(100, PEOPLE)
    room.say(OperatorAsked("panel", "set", actuator="light.main", value=25, seconds=600))
    again = Room(wall=room.wall + 5, mono=3.0, state=room.state)
    assert again.last("light.main") == 25
    assert {c.actuator for o in again.outcomes for c in o.commands} >= {"light.main"}
    assert wanted(again), "the snapshot is published again"
    again.wait(600, PEOPLE)
    assert again.last("light.main") == 80


def test_without_a_trusted_clock_nothing_time_based_happens():
    from edge.contracts.signals import ClockChecked

    room = Room()
    room.say(ClockChecked("clock", False, "no network time"))
    room.calendar(meeting(start=0))
    room.wait(120, PEOPLE)
    assert room.verbs() == []
    assert room.last("light.main") == 0
