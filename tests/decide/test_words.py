"""What people and plugins are told of a change."""

from dataclasses import replace

from edge.contracts.signals import (
    ClockChecked,
    DeviceReported,
    MachineChanged,
    NodeReading,
    OperatorAsked,
    PeopleCounted,
    SourceChanged,
    Woke,
)
from edge.contracts.wire import MachineReport
from edge.decide.proposals import PluginRules
from tests.world.room import SETTINGS, Room, meeting

KINDS = ("meeting", "presence", "reading", "device")


def notes(outcome):
    return outcome.decision.notes if outcome.decision is not None else ()


def machine(phase, detail="", key="k" * 36):
    return MachineReport(key, "m/", "demo-small", phase, 1.0, detail=detail)


def test_changes_are_said_once_in_words():
    room = Room()
    assert notes(room.say(PeopleCounted("camera", 2))) == ("room is occupied (98%, 2 seen)",)
    assert notes(room.say(PeopleCounted("camera", 2))) == ()
    room.wait(10)
    assert "nobody can tell" in notes(room.say(Woke()))[0] or any(
        "nobody can tell" in n for o in room.outcomes for n in notes(o)
    )
    assert notes(room.say(SourceChanged("camera", "lost", "unplugged"))) == (
        "camera is lost: unplugged",
    )
    assert notes(room.say(SourceChanged("camera", "lost", "still", 2))) == ()
    assert notes(room.say(SourceChanged("camera", "ok"))) == ("camera is ok",)
    assert notes(room.say(OperatorAsked("panel", "consent", value="off"))) == (
        "consent is off", "mode blind is over",
    )  # fmt: skip
    assert notes(room.say(ClockChecked("clock", False)))[0].startswith("the clock is not trusted")
    assert "the clock is trusted" in notes(room.say(ClockChecked("clock", True)))


def test_machines_are_told_when_their_phase_changes():
    room = Room()
    other = machine("failed", "no space", "x" * 36)
    said = notes(room.say(MachineChanged("service", (machine("booting"), other))))
    assert said == ("machine kkkkkkkk is booting", "machine xxxxxxxx is failed no space")
    said = notes(room.say(MachineChanged("service", (machine("ready"), other))))
    assert said == ("machine kkkkkkkk is ready",)


def test_an_empty_room_and_a_longer_meeting_are_told():
    room = Room()
    room.calendar(meeting(start=60, minutes=5))
    room.wait(320, [PeopleCounted("camera", 2)])
    told = [n for o in room.outcomes for n in notes(o)]
    assert any("held 900 s long (people stay" in note for note in told)
    room.wait(100, [PeopleCounted("camera", 0)])
    told = [n for o in room.outcomes for n in notes(o)]
    assert any(note.startswith("room is empty") for note in told)


def heard(room, signal):
    return [(c.plugin, c.event.kind) for c in room.say(signal).calls]


def test_plugins_hear_what_they_asked_for_and_are_ticked_otherwise():
    plugins = {
        "plugin:all": PluginRules("all", KINDS, (), tick_s=20.0),
        "plugin:none": PluginRules("none", (), (), tick_s=20.0),
    }
    room = Room(replace(SETTINGS, plugins=plugins))
    assert heard(room, NodeReading("b", "co2", 700.0)) == [("plugin:all", "reading")]
    assert heard(room, DeviceReported("mqtt", "light.main", 3)) == [("plugin:all", "device")]
    assert heard(room, PeopleCounted("camera", 1)) == [("plugin:all", "presence")]
    assert heard(room, PeopleCounted("camera", 1)) == []
    event = room.say(DeviceReported("mqtt", "light.main", 4)).calls[0].event
    assert event.readings == {"co2": 700.0}
    assert event.reported == {"light.main": 4}
    room.calendar(meeting(start=0))
    assert room.outcomes[-1].calls[0].event.kind == "meeting"
    assert room.outcomes[-1].calls[0].event.intent == "live-demo"
    room.outcomes.clear()
    room.wait(61)
    ticks = [c.plugin for o in room.outcomes for c in o.calls if c.event.kind == "tick"]
    assert ticks.count("plugin:none") == 3


def test_a_room_without_plugins_calls_none():
    room = Room(replace(SETTINGS, plugins={}))
    room.wait(600, [PeopleCounted("camera", 1)])
    assert all(o.calls == () for o in room.outcomes)
