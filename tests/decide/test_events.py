"""What plugins are told, and when: the whole picture, without what is too old to be believed."""

from dataclasses import replace

import msgspec
from msgspec import structs

from edge.contracts.plugin import PluginEvent
from edge.contracts.signals import (
    ContactChanged,
    NodeReading,
    OperatorAsked,
    PeopleCounted,
    Signal,
    SoundMeasured,
    SourceChanged,
    Woke,
)
from edge.decide import events
from edge.decide.core import CoreSettings, CoreState
from edge.decide.intents import Intent
from edge.decide.proposals import PluginRules
from edge.decide.situation import Situation
from edge.decide.sky import Place, sky
from edge.fusion.state import Presence, Reading, RoomState
from tests.world.room import SETTINGS, Room, meeting

KINDS = ("meeting", "presence", "reading", "device", "sound", "contact", "consent")
ROOM = replace(
    SETTINGS,
    plugins={"plugin:all": PluginRules("all", KINDS, ())},
    place=Place(52.52, 13.405, "Europe/Berlin"),
)


def heard(room: Room, signal: Signal) -> PluginEvent:
    (call,) = room.say(signal).calls
    return call.event


def test_every_part_of_the_picture_is_told_under_its_own_name():
    room = RoomState(
        presence=Presence(occupied=True, probability=0.875, count=3, counted=False),
        level=Reading(-31.5, "microphone", 4990.0),
        voice=Reading(0.625, "microphone", 4990.0),
        clipped=Reading(0.0625, "microphone", 4990.0),
        readings={"co2": Reading(700.0, "node:desk", 4990.0)},
        contacts={"node:a": {"window": True}},
        reported={"light.main": 40},
        consent="counts",
        clock_trusted=True,
    )
    now = structs.replace(Room(ROOM).now, mono=5000.0)
    situation = Situation(
        meeting="pending",
        intent=Intent("demo", "Demo", (), {"light.main": 80}),
        minutes_to_next=61.256,
        minutes_to_end=12.344,
        started=True,
        next_intent=Intent("quiet", "Quiet", (), {"light.main": 60}),
    )
    above = sky(ROOM.place, now.wall)
    view = events.View(situation, ROOM.place, ROOM.fusion, now)
    assert events.describe("aurora-1-2", "sound", room, view) == PluginEvent(
        id="aurora-1-2",
        kind="sound",
        occupied=True,
        probability=0.875,
        count=3,
        counted=False,
        consent="counts",
        meeting="pending",
        started=True,
        minutes_to_next=61.26,
        minutes_to_end=12.34,
        intent="demo",
        targets={"light.main": 80},
        next_intent="quiet",
        next_targets={"light.main": 60},
        readings={"co2": 700.0},
        reported={"light.main": 40},
        contacts={"window": True},
        sound_db=-31.5,
        voice=0.625,
        clipped=0.0625,
        sun_azimuth=above.sun_azimuth,
        sun_elevation=above.sun_elevation,
        local_hour=above.local_hour,
        weekday=above.weekday,
    )
    counted = structs.replace(room, presence=structs.replace(room.presence, counted=True))
    view = structs.replace(view, situation=structs.replace(situation, started=False))
    event = events.describe("aurora-1-2", None, counted, view)
    assert (event.kind, event.counted, event.started) == ("tick", True, False)


def test_sound_is_told_with_its_clipping_until_it_is_stale():
    room = Room(ROOM)
    event = heard(room, SoundMeasured("microphone", -12.5, 0.9, 0.02))
    assert (event.kind, event.sound_db, event.voice, event.clipped) == (
        "presence",
        -12.5,
        0.9,
        0.02,
    )
    assert heard(room, SoundMeasured("microphone", -13.0, 0.9)).kind == "sound"
    room.wait(25)
    event = heard(room, NodeReading("node:desk", "co2", 700))
    assert (event.sound_db, event.voice, event.clipped) == (None, None, None)


def test_a_reading_is_left_out_once_its_board_is_silent():
    room = Room(ROOM)
    assert heard(room, NodeReading("node:desk", "co2", 700)).readings == {"co2": 700}
    room.wait(95)
    event = heard(room, NodeReading("node:desk", "illuminance", 300))
    assert event.readings == {"illuminance": 300}


def test_an_opening_is_open_while_any_board_says_so_and_unknown_when_its_board_is_lost():
    room = Room(ROOM)
    event = heard(room, ContactChanged("node:a", "window", True))
    assert (event.kind, event.contacts) == ("contact", {"window": True})
    assert heard(room, ContactChanged("node:b", "window", False)).contacts == {"window": True}
    room.say(SourceChanged("node:a", "lost"))
    event = heard(room, ContactChanged("node:b", "door", False))
    assert event.contacts == {"window": False, "door": False}


def test_consent_is_an_event_and_takes_what_was_heard_with_it():
    room = Room(ROOM)
    room.say(SoundMeasured("microphone", -30, 0.0))
    event = heard(room, OperatorAsked("panel", "consent", value="off"))
    assert (event.kind, event.consent, event.sound_db) == ("consent", "off", None)


def test_the_meeting_that_comes_is_told_with_what_it_wants():
    room = Room(ROOM)
    room.calendar(meeting(start=60, minutes=30), meeting("m2", start=3600, categories=("quiet",)))
    room.wait(61)
    event = heard(room, PeopleCounted("camera", 2))
    assert (event.meeting, event.intent, event.counted) == ("active", "live-demo", True)
    assert event.started
    assert 28 < event.minutes_to_end < 30
    assert 58 < event.minutes_to_next < 60
    assert (event.next_intent, event.next_targets["light.main"]) == ("quiet-video", 60)


def test_sun_and_hour_are_told_only_by_a_clock_that_can_be_trusted():
    room = Room(ROOM)
    room.wait(21)
    event = heard(room, NodeReading("node:desk", "co2", 700))
    assert (event.sun_elevation, event.local_hour, event.weekday) == (-8.5, 22.45, 3)
    view = structs.replace(room.now, trusted=False)
    _, outcome = room.core.step(room.state, NodeReading("node:desk", "co2", 800), "x", view)
    blind = outcome.calls[0].event
    assert (blind.sun_elevation, blind.local_hour, blind.weekday) == (None, -1, -1)


def test_what_older_versions_journaled_is_still_read():
    settings = msgspec.to_builtins(SETTINGS)
    del settings["place"]
    assert msgspec.convert(settings, CoreSettings) == SETTINGS
    room = Room(ROOM)
    room.say(PeopleCounted("camera", 2))
    room.say(Woke())
    state = msgspec.to_builtins(room.state)
    for name in ("contacts", "clipped"):
        del state["room"][name]
    del state["told"]["consent"]
    assert msgspec.convert(state, CoreState) == room.state
