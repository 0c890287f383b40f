"""A command finds the driver of its actuator, whichever drivers a room has."""

from pathlib import Path

import msgspec

from edge.config import load_room
from edge.contracts.commands import Command
from edge.contracts.wire import WantedMachine, WantedMessage
from edge.drivers import UNROUTED, Drivers
from edge.process.link import Broker, Link

ROOT = Path(__file__).parents[1]


def command(actuator, value):
    return Command("c", actuator, value, 2000.0, "lights", "plugin", "cause")


def drivers(published=None, **changes):
    config = msgspec.structs.replace(load_room(ROOT / "config/room.toml"), **changes)
    link = Link("devices", Broker("127.0.0.1", 9))
    put = (published if published is not None else []).append
    return Drivers(config, link, lambda _signal: None, put)


def test_a_rooms_drivers_are_those_of_its_actuators():
    status = drivers().status()
    assert status["driver:vm"] == ("vm/*",)
    assert status["driver:mqtt"] == ("light.main", "climate.setpoint")


def test_a_command_reaches_the_driver_of_its_actuator_and_only_that(monkeypatch):
    room = drivers()
    heard = []
    for driver in room.all:
        monkeypatch.setattr(driver, "apply", lambda c, d=driver: heard.append((d.name, c.actuator)))
        monkeypatch.setattr(driver, "release", lambda a, d=driver: heard.append((d.name, a)))
    room.apply(command("light.main", 40))
    room.apply(command("vm/meeting-1", "demo-small"))
    room.release("climate.setpoint")
    room.release("nobody.knows")
    assert heard == [
        ("driver:mqtt", "light.main"),
        ("driver:vm", "vm/meeting-1"),
        ("driver:mqtt", "climate.setpoint"),
    ]


def test_a_command_for_nobody_is_counted_and_costs_nothing_else():
    before = UNROUTED._value.get()
    drivers().apply(command("siren.main", "on"))
    assert UNROUTED._value.get() == before + 1


def test_a_machine_no_longer_allowed_is_not_asked_for():
    published = []
    room = drivers(published)
    wanted = WantedMessage(
        "aurora",
        1,
        0.0,
        (WantedMachine(key="m1", meeting="uid/", template="demo-small", start=0.0, end=9.0),),
    )
    room.apply(command("vm/m1", "demo-small"))
    room.snapshot(wanted)
    room.release("vm/m1")
    room.snapshot(wanted)
    assert [len(message.machines) for message in published] == [1, 0]
