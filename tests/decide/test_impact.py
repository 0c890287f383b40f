"""No automatism darkens a room that looks occupied, unless evidence agrees; people may."""

import pytest
from msgspec import structs

from edge.contracts.commands import Command, PluginCommand, Proposal
from edge.contracts.signals import OperatorAsked, PeopleCounted, PluginAnswered, SoundMeasured
from edge.decide.impact import doubt, is_off
from edge.fusion.state import Evidence, Presence, RoomState
from tests.world.room import Room

SEEN = Evidence("camera", 4.0, "2 people in view", "camera")
UNSEEN = Evidence("camera", -2.5, "0 people in view", "camera")
SILENT = Evidence("microphone", -0.3, "no speech", "voice")


def wish(value=0, actuator="light.main", priority="schedule"):
    return Proposal(actuator, value, 9e9, "x", priority, "c")


def given(value, actuator="light.main"):
    return {actuator: Command("i", actuator, value, 9e9, "schedule", "schedule", "c")}


def room(occupied=True, *evidence, **more):
    return RoomState(presence=Presence(occupied=occupied, evidence=evidence), **more)


@pytest.mark.parametrize("priority", ["plugin", "schedule"])
@pytest.mark.parametrize("value", [0, 0.0, False, "off", "OFF"])
@pytest.mark.parametrize("actuator", ["light.main", "display.power"])
def test_switching_off_what_is_used_is_doubted_and_says_why(actuator, value, priority):
    told = doubt(wish(value, actuator, priority), given(80, actuator), room(True, SEEN), 2)
    assert told == "the room looks occupied (camera: 2 people in view)"


@pytest.mark.parametrize(
    ("proposal", "before", "state"),
    [
        (wish(priority="manual"), given(80), room(True, SEEN)),
        (wish(priority="safety"), given(80), room(True, SEEN)),
        (wish(20), given(80), room(True, SEEN)),
        (wish("presenter", "camera.preset"), {}, room(True, SEEN)),
        (wish(0, "ventilation.level"), given(80, "ventilation.level"), room(True, SEEN)),
        (wish(), given(80), room(False, SEEN)),
        (wish(), given(80), room(True, UNSEEN, SILENT)),
        (wish(), given(0), room(True, SEEN)),
        (wish(), {}, room(True, SEEN)),
        (wish(), {}, room(True, SEEN, reported={"light.main": 0})),
    ],
)
def test_everything_else_is_not(proposal, before, state):
    assert doubt(proposal, before, state, 2) == ""


def test_what_only_the_device_says_is_on_counts_before_anything_was_given():
    assert doubt(wish(), {}, room(True, SEEN, reported={"light.main": 40}), 2)


def test_one_kind_alone_is_not_enough_and_nothing_at_all_neither():
    assert doubt(wish(), given(80), room(True, UNSEEN), 2)
    assert doubt(wish(), given(80), room(True, UNSEEN), 1) == ""
    assert doubt(wish(), given(80), room(True), 1) == "the room looks occupied (nothing says so)"


@pytest.mark.parametrize(
    ("value", "off"),
    [(0, True), (0.5, False), (True, False), ("Off", True), ("on", False), ("", True)],
)
def test_what_off_means(value, off):
    assert is_off(value) is off


def test_a_plugin_that_darkens_people_is_refused_once_and_falls_back():
    def dim(value):
        command = PluginCommand("e", "light.main", value, 600.0)
        return PluginAnswered("plugin:lights", ("e",), (command,))

    house = Room()
    house.say(dim(60.0))
    outcomes = [house.say(PeopleCounted("camera", 3)), house.say(dim(0.0))]
    assert [(v.source, v.stage, v.rule) for o in outcomes for v in o.decision.verdicts] == [
        ("schedule", "arbiter", "ensemble"), ("plugin:lights", "arbiter", "ensemble"),
    ], "the schedule rests behind the plugin"  # fmt: skip
    assert house.last("light.main") == 60.0
    assert house.say(PeopleCounted("camera", 2)).commands == ()
    house.say(OperatorAsked("panel", "set", actuator="light.main", value=0))
    assert house.last("light.main") == 0, "a person may"


def test_when_they_have_gone_it_goes_dark():
    house = Room()
    house.say(
        PluginAnswered("plugin:lights", ("e",), (PluginCommand("e", "light.main", 60.0, 30.0),))
    )
    here = [PeopleCounted("camera", 3), SoundMeasured("microphone", -30.0, 0.9)]
    house.wait(60, here)
    assert house.last("light.main") == 60.0
    house.wait(90, [PeopleCounted("camera", 0), SoundMeasured("microphone", -60.0, 0.0)])
    assert house.last("light.main") == 0


def test_a_question_stands_in_the_journal_and_the_answer_too():
    from tests.world.room import meeting

    house = Room()
    house.with_rules(empty_end_s=30.0)
    house.calendar(meeting(start=10))
    house.wait(30, [PeopleCounted("camera", 3)])
    house.wait(150, [PeopleCounted("camera", 0)])
    life = house.state.lives["m1/"]
    assert (life.phase, life.asked > house.wall) == ("active", True)
    notes = [note for d in house.decisions() for note in d.notes]
    assert "meeting m1: asks whether anybody is here (camera: 0 people in view)" in notes
    house.say(OperatorAsked("panel", "keep", meeting="m1/"))
    assert "meeting m1: kept at the panel" in house.decisions()[-1].notes
    assert house.state.lives["m1/"].phase == "active"


def test_a_paused_room_keeps_its_meeting():
    from tests.world.room import meeting

    gone = [PeopleCounted("camera", 0), SoundMeasured("microphone", -60.0, 0.0)]
    for paused, phase in [(True, "active"), (False, "ended")]:
        house = Room()
        house.calendar(meeting(start=10))
        house.wait(30, [PeopleCounted("camera", 3)])
        if paused:
            house.say(OperatorAsked("panel", "pause", seconds=1000.0))
        house.wait(300, gone)
        assert house.state.lives["m1/"].phase == phase
    assert structs.replace(house.state, pause=None) == house.state
