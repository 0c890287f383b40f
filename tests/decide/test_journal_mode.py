"""While the journal cannot be written only safety and schedule act; everything else waits."""

from edge.contracts.commands import PluginCommand
from edge.contracts.signals import OperatorAsked, PluginAnswered, SourceChanged
from tests.world.room import Room, meeting

LOST = SourceChanged("journal", "lost", "the disk is full")
WELL = SourceChanged("journal", "ok")


def dim(value, lease=600.0):
    return PluginAnswered(
        "plugin:lights", ("e",), (PluginCommand("e", "light.main", value, lease),)
    )


def given(outcome):
    return [(c.actuator, c.value, c.priority) for c in outcome.commands]


def test_the_schedule_takes_over_at_once_and_says_so():
    room = Room()
    room.say(dim(40.0))
    outcome = room.say(LOST)
    assert given(outcome) == [("light.main", 0, "schedule")]
    assert any(note.startswith("mode journal") for note in outcome.decision.notes)


def test_wishes_wait_and_count_again_when_it_writes():
    room = Room()
    room.say(LOST)
    assert given(room.say(dim(40.0))) == []
    assert (
        given(room.say(OperatorAsked("panel", "set", actuator="climate.setpoint", value=23))) == []
    )
    outcome = room.say(WELL)
    assert sorted(given(outcome)) == [
        ("climate.setpoint", 23, "manual"), ("light.main", 40.0, "plugin"),
    ]  # fmt: skip


def test_a_wish_that_lapsed_meanwhile_does_not_come_back():
    room = Room()
    room.say(LOST)
    room.say(dim(40.0, lease=30.0))
    room.wait(60)
    assert given(room.say(WELL)) == []


def test_the_schedule_goes_on_meanwhile():
    room = Room()
    room.say(LOST)
    room.calendar(meeting(start=600))
    room.wait(400)
    assert room.last("light.main") == 80
    assert room.state.given["light.main"].priority == "schedule"
