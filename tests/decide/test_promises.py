"""What an intent promised for the start, measured at the start: kept or missed, and by how much."""

from dataclasses import replace

import msgspec
import pytest

from edge.contracts.base import machine_key
from edge.contracts.commands import PluginCommand
from edge.contracts.signals import (
    ClockChecked,
    DeviceReported,
    MachineChanged,
    NodeReading,
    OperatorAsked,
    PeopleCounted,
    PluginAnswered,
)
from edge.contracts.wire import MachineReport
from edge.decide.core import CoreState
from edge.decide.intents import Intent, Slo
from edge.steps import encode_decision
from edge.timeline import Timeline
from tests.world.room import EPOCH, SETTINGS, Room, meeting

NOBODY = [PeopleCounted("camera", 0)]
SLO = Slo(ready_s=60.0, machine_ready_s=30.0, temperature_within=1.0, light_within=5.0)
DEMO = Intent(
    "live-demo", "Demo", ("demo",), {"light.main": 80, "climate.setpoint": 21.0},
    vm="demo-small", lead_s=300, slo=SLO,
)  # fmt: skip


def hold(slo: Slo = SLO, **more: object) -> Room:
    return Room(replace(SETTINGS, intents=(replace(DEMO, slo=slo, **more),)))


def ready_machine() -> MachineChanged:
    key = machine_key("example", "m1", "")
    return MachineChanged(
        "service", (MachineReport(key, "m1/", "demo-small", "ready", EPOCH, "127.0.0.1:1"),)
    )


def kept(room: Room) -> dict[str, tuple[str, float]]:
    return {p.name: (p.outcome, p.by) for d in room.decisions() for p in d.promises}


def test_every_promise_is_judged_once_at_the_start():
    room = hold()
    room.calendar(meeting(start=600))
    room.wait(400, NOBODY)
    room.say(ready_machine())
    room.say(DeviceReported("mqtt", "light.main", 79.0))
    room.wait(199, [*NOBODY, NodeReading("board", "temperature", 20.4)])
    assert kept(room) == {}
    room.wait(300, [*NOBODY, NodeReading("board", "temperature", 20.4)])
    assert kept(room) == {
        "ready": ("kept", 240.0),
        "machine": ("kept", 170.0),
        "temperature": ("kept", 0.4),
        "light": ("kept", 4.0),
    }
    assert sum(len(d.promises) for d in room.decisions()) == 4
    assert room.state.starts == {}


def test_what_was_not_there_in_time_was_missed_by_so_much():
    room = hold()
    room.calendar(meeting(start=600))
    room.wait(310, NOBODY)
    # The lamp follows 20 s before the start, the machine 10 s before it.
    room.say(DeviceReported("mqtt", "light.main", 0))
    room.wait(270, NOBODY)
    room.say(DeviceReported("mqtt", "light.main", 80))
    room.wait(10, NOBODY)
    room.say(ready_machine())
    room.wait(60, [*NOBODY, NodeReading("board", "temperature", 18.5)])
    found = kept(room)
    assert found["ready"] == ("missed", -40.0)
    assert found["machine"] == ("missed", -20.0)
    assert found["temperature"] == ("missed", -1.5)
    assert found["light"] == ("kept", 5.0)


def test_what_never_was_ready_is_missed_and_what_nobody_measures_is_unknown():
    room = hold(lead_s=0.0)
    room.say(DeviceReported("mqtt", "climate.setpoint", 5.0))
    room.calendar(meeting(start=600))
    room.wait(700, NOBODY)
    found = kept(room)
    assert found["ready"] == ("missed", -60.0)
    assert found["machine"] == ("missed", -30.0)
    assert found["temperature"] == ("unknown", 0.0)
    assert found["light"] == ("unknown", 0.0)


@pytest.mark.parametrize("who", ["plugin", "person"])
def test_a_room_that_somebody_wants_otherwise_stands_as_asked(who):
    room = hold()
    room.calendar(meeting(start=600))
    room.wait(500, NOBODY)
    if who == "person":
        room.say(OperatorAsked("panel", "set", actuator="light.main", value=20, seconds=600))
    else:
        lamp = PluginCommand("e", "light.main", 20, 600.0)
        room.say(PluginAnswered("plugin:lights", ("e",), (lamp,)))
    room.say(DeviceReported("mqtt", "light.main", 20))
    room.wait(110, NOBODY)
    assert kept(room)["ready"] == ("kept", 240.0)
    assert kept(room)["light"] == ("kept", 5.0)


def test_a_meeting_that_is_moved_is_watched_anew_and_one_that_is_cancelled_not_at_all():
    room = hold(Slo(ready_s=60.0))
    room.calendar(meeting(start=600))
    room.wait(500, NOBODY)
    room.calendar(meeting(start=1800))
    room.wait(1400, NOBODY)
    assert kept(room) == {"ready": ("kept", 240.0)}
    room.calendar(meeting(uid="m2", start=3000))
    room.wait(600, NOBODY)
    room.calendar()
    room.wait(1000, NOBODY)
    assert sum(len(d.promises) for d in room.decisions()) == 1
    assert room.state.starts == {}


def test_who_was_not_there_at_the_start_cannot_tell():
    room = hold(Slo(ready_s=60.0))
    room.calendar(meeting(start=600))
    room.wait(500, NOBODY)
    again = Room(room.settings, wall=room.wall + 400, mono=3.0, state=room.state)
    assert kept(again) == {"ready": ("unknown", 0.0)}
    assert again.state.starts == {}


def test_without_a_trusted_clock_nothing_is_judged():
    room = hold()
    room.calendar(meeting(start=600))
    room.wait(100, NOBODY)
    room.say(ClockChecked("clock", False))
    room.wait(600, NOBODY)
    assert kept(room) == {}


def test_promises_replay_and_stand_in_the_timeline():
    room = hold()
    room.calendar(meeting(start=600))
    room.wait(700, NOBODY)
    state, core = CoreState(), Room(room.settings).core
    lines = []
    for (signal, ident, now), outcome in zip(room.said, room.outcomes, strict=True):
        raw = msgspec.json.encode(state)
        state, again = core.step(msgspec.json.decode(raw, type=CoreState), signal, ident, now)
        assert again == outcome
        if outcome.decision is not None:
            body = encode_decision(outcome.decision)
            lines += Timeline().lines("decision", ident, body)
    told = {(line.kind, line.text) for line in lines if line.who == "promise"}
    assert ("decision", "ready: kept, 240 s to spare (300 s before it)") in told
    assert ("fault", "machine: missed, 30 s short (not at the start either)") in told
    assert ("decision", "light: nobody can tell (nobody measures it)") in told
