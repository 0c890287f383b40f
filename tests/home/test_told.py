"""What Home Assistant is told: documents and state, without a broker."""

import json

from edge.contracts.gating import GateRule
from edge.contracts.signals import (
    DeviceReported,
    NodeReading,
    OperatorAsked,
    PeopleCounted,
    SoundMeasured,
    SourceChanged,
)
from edge.home.about import About
from edge.home.documents import documents
from edge.home.told import told
from tests.world.room import SETTINGS, Room, meeting

RULES = (
    *SETTINGS.gate[:2],
    GateRule("blind.window", 0, 100),
    GateRule("display.input", values=("hdmi", "cast")),
    GateRule("microphone.gain", 0, 100),
)
ABOUT = About("aurora", "Aurora", "1.0", RULES)


def whole(about: About = ABOUT) -> dict[str, dict[str, object]]:
    return {topic: json.loads(body) for topic, body in documents(about).items()}


def test_every_entity_is_of_the_one_device_and_has_an_identity_of_its_own():
    made = whole()
    assert {d["availability_topic"] for d in made.values()} == {"roomkeeper/aurora/home/online"}
    assert len({d["unique_id"] for d in made.values()}) == len(made)
    assert {json.dumps(d["device"]) for d in made.values()} == {
        json.dumps(next(iter(made.values()))["device"])
    }
    for topic in made:
        assert topic.split("/")[2] == "roomkeeper_aurora"


def test_each_actuator_is_what_it_is():
    sorts = {topic.split("/")[3]: topic.split("/")[1] for topic in whole()}
    assert sorts["light__main"] == "light"
    assert sorts["climate__setpoint"] == "climate"
    assert sorts["blind__window"] == "cover"
    assert sorts["display__input"] == "select"
    assert sorts["microphone__gain"] == "number"


def test_what_is_not_known_is_not_told():
    room = Room()
    said = told(room.state, ABOUT, room.now)
    assert said.occupied is None
    assert said.people is None
    assert said.temperature is None
    assert (said.meeting, said.next_min) == ("free", None)


def test_what_the_room_senses_is_told_until_it_is_too_old():
    room = Room()
    room.say(PeopleCounted("camera", 3, 0.9))
    room.say(SoundMeasured("microphone", -41.6, 0.1))
    room.say(NodeReading("node:desk", "temperature", 21.46))
    said = told(room.state, ABOUT, room.now)
    assert (said.occupied, said.people, said.temperature, said.noise) == (True, 3, 21.5, -42)
    room.wait(200)
    said = told(room.state, ABOUT, room.now)
    assert (said.people, said.temperature, said.noise) == (None, None, None)


def test_the_meeting_and_the_next_are_told():
    room = Room()
    room.calendar(meeting("m1", 700), meeting("m2", 4000))
    assert told(room.state, ABOUT, room.now).next_min == 12
    room.wait(720)
    assert told(room.state, ABOUT, room.now).meeting == "open"
    room.say(OperatorAsked("panel", "check_in"))
    said = told(room.state, ABOUT, room.now)
    assert (said.meeting, said.next_min) == ("active", 55)


def test_titles_are_told_only_where_they_may_leave_the_room():
    open_house = About("aurora", "Aurora", "1.0", RULES, share_titles=True)
    for private, about, title in (
        (False, ABOUT, ""),
        (False, open_house, "Secret plans"),
        (True, open_house, ""),
    ):
        room = Room()
        room.calendar(meeting("m1", 100, private=private))
        room.wait(120)
        assert told(room.state, about, room.now).title == title


def test_an_actuator_is_told_as_its_device_says_else_as_it_was_set():
    room = Room()
    room.say(OperatorAsked("panel", "set", actuator="light.main", value=60))
    assert told(room.state, ABOUT, room.now).actuators["light.main"] == 60
    room.say(DeviceReported("device:lamp", "light.main", 20))
    assert told(room.state, ABOUT, room.now).actuators["light.main"] == 20
    assert told(room.state, ABOUT, room.now).actuators["blind.window"] is None


def test_the_modes_in_force_are_told():
    room = Room()
    assert told(room.state, ABOUT, room.now).mode == "normal"
    room.say(SourceChanged("calendar", "lost", "away"))
    assert "calendar" in told(room.state, ABOUT, room.now).mode
