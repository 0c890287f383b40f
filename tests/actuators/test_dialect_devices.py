"""The driver with devices of every dialect as processes: outages, goodbyes, garbage, floods."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from paho.mqtt import publish

from edge.actuators.dialects import Wiring
from edge.actuators.discovery import Finder
from edge.actuators.mqtt import REPORTS, MqttActuator, MqttDriver
from edge.contracts.base import Value
from edge.contracts.commands import Command
from edge.contracts.entity import Entity
from edge.contracts.signals import DeviceReported, Signal, SourceChanged
from edge.process.link import Link
from tests.world import entity
from tests.world.mosquitto import Mosquitto
from tests.world.places import ROOT
from tests.world.waiting import until


@dataclass(frozen=True)
class Case:
    """A lamp of one dialect: its process, its wiring, where it tells its state."""

    module: str
    options: tuple[str, ...]
    stubborn: str
    wiring: Wiring
    state: str


def announced_light() -> Wiring:
    """Return the wiring that discovery makes of the simulated entity's own announcement."""
    finder = Finder()
    told = json.dumps(entity.announced("light", "lamp")).encode()
    finder.take("homeassistant/light/lamp/config", told)
    return finder.found[0].wiring


CASES = {
    "zigbee2mqtt": Case(
        "devices", ("--device=lamp",), "--stubborn=lamp",
        Wiring("lamp", "brightness"), "zigbee2mqtt/lamp",
    ),
    "tasmota": Case(
        "tasmota", ("--device=lamp-1",), "--stubborn",
        Wiring("lamp-1", "brightness", "tasmota"), "tele/lamp-1/STATE",
    ),
    "homeassistant": Case(
        "entity", ("--component=light", "--name=lamp"), "--stubborn",
        announced_light(), "x/lamp/brightness",
    ),
}  # fmt: skip


@dataclass
class World:
    """A broker, the driver on it, what it posted; the device comes and goes."""

    case: Case
    broker: Mosquitto
    stack: ExitStack
    signals: list[Signal] = field(default_factory=list)

    def begin(self, follow_s: float = 0.3) -> None:
        self.link = Link("devices", self.broker.broker)
        actuators = (MqttActuator("light.main", self.case.wiring),)
        self.driver = MqttDriver(
            self.link, actuators, self.signals.append, follow_s=follow_s, wall=lambda: 1000.0
        )
        self.driver.start()
        self.link.start()
        self.stack.callback(self.link.stop)
        self.stack.callback(self.driver.stop)
        until(lambda: self.link.connected)
        # What is wanted before it has looked is said twice.
        until(lambda: self.driver._was_up, what="the driver has seen the broker")

    def device(self, *more: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", f"tests.world.{self.case.module}"]
        line += [f"--port={self.broker.port}", *self.case.options, *more]
        process = subprocess.Popen(line, cwd=ROOT)
        self.stack.callback(process.wait, 10)
        self.stack.callback(process.kill)
        return process

    def apply(self, value: Value) -> None:
        self.driver.apply(Command("c", "light.main", value, 2000.0, "lights", "plugin", "cause"))

    @property
    def reported(self) -> Value | None:
        found = [s.value for s in self.signals if isinstance(s, DeviceReported)]
        return found[-1] if found else None

    @property
    def health(self) -> tuple[str, str]:
        found = [(s.health, s.reason) for s in self.signals if isinstance(s, SourceChanged)]
        return found[-1] if found else ("", "")


@pytest.fixture(params=CASES)
def world(request) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(CASES[request.param], stack.enter_context(Mosquitto()), stack)


def test_it_follows_and_reports_in_the_rooms_units(world: World):
    world.begin()
    world.device()
    until(lambda: world.reported == 0)
    world.apply(70)
    until(lambda: world.reported == 70)
    world.apply(0)
    until(lambda: world.reported == 0)
    until(lambda: world.health == ("ok", ""))


def test_a_room_that_comes_later_asks_how_the_device_is(world: World):
    heard: list[str] = []
    listener = Link("listener", world.broker.broker)
    listener.subscribe("#", lambda topic, _b, _r: heard.append(topic))
    listener.start()
    world.stack.callback(listener.stop)
    world.device()
    until(lambda: world.case.state in heard)
    world.begin()
    until(lambda: world.reported == 0)


def test_a_broker_that_forgets_everything_costs_nothing(world: World):
    world.begin()
    world.device()
    world.apply(70)
    until(lambda: world.reported == 70)
    world.broker.kill()
    until(lambda: not world.link.connected)
    world.apply(30)
    world.broker.start()
    until(lambda: world.reported == 30, 30)
    until(lambda: world.health == ("ok", ""), 30)


def test_a_device_that_goes_is_missed_and_one_that_comes_back_is_told(world: World):
    world.begin()
    process = world.device()
    world.apply(70)
    until(lambda: world.reported == 70)
    process.kill()
    until(lambda: world.health[0] == "lost")
    assert "offline" in world.health[1]
    world.apply(40)
    world.device()
    until(lambda: world.reported == 40, 30)
    until(lambda: world.health == ("ok", ""), 30)


def test_a_device_that_does_not_follow_is_reported_and_asked_again(world: World):
    world.begin()
    process = world.device(world.case.stubborn)
    until(lambda: world.health[0] == "ok")
    world.apply(70)
    reason = "light.main does not follow after 3 tries"
    until(lambda: world.health == ("degraded", reason))
    process.kill()
    process.wait()
    world.device()
    until(lambda: world.reported == 70, 30)
    until(lambda: world.health == ("ok", ""), 30)


@pytest.mark.parametrize(
    "garbage", [b"\xff\xfe", b"[" * 50_000, b'{"state":7,"POWER":[1]}', b"{}x"]
)
def test_garbage_that_the_broker_kept_moves_nothing(world: World, garbage):
    publish.single(world.case.state, garbage, 1, retain=True, port=world.broker.port)
    world.begin()
    until(lambda: world.health[0] == "degraded")
    assert world.reported is None
    world.device()
    world.apply(70)
    until(lambda: world.reported == 70)


def test_a_flood_is_cut_and_the_device_still_follows(world: World):
    world.begin()
    world.device()
    until(lambda: world.reported == 0)
    before = REPORTS.labels("flooded")._value.get()
    flood = [(world.case.state, b"99999", 0, False)] * 2000
    publish.multiple(flood, port=world.broker.port)
    until(lambda: REPORTS.labels("flooded")._value.get() > before)
    world.apply(70)
    until(lambda: world.reported == 70, 30)


BLIND = Case(
    "entity", ("--component=cover", "--name=blind", "--travel=1"), "",
    Wiring("blind", "position", "homeassistant", entity=Entity(
        "cover", set_position_topic="x/blind/position/set", position_topic="x/blind/position",
        availability_topic="x/blind/there",
    )), "x/blind/position",
)  # fmt: skip


@pytest.fixture
def blind() -> Iterator[tuple[World, list[bytes]]]:
    asked: list[bytes] = []
    with ExitStack() as stack:
        world = World(BLIND, stack.enter_context(Mosquitto()), stack)
        # On a busy machine it is long on its way, and stands still for a while.
        world.begin(follow_s=2.0)
        listener = Link("listener", world.broker.broker)
        listener.subscribe("x/blind/position/set", lambda _t, body, _r: asked.append(body))
        listener.start()
        stack.callback(listener.stop)
        until(lambda: listener.connected)
        world.device()
        until(lambda: world.reported == 0)
        yield world, asked


def positions(world: World) -> list[Value]:
    return [s.value for s in world.signals if isinstance(s, DeviceReported)]


def test_a_blind_has_time_to_get_there_and_is_not_urged_on_its_way(blind):
    world, asked = blind
    world.apply(100)
    until(lambda: world.reported == 100)
    assert asked == [b"0"]
    assert len(positions(world)) <= 5
    assert {s.health for s in world.signals if isinstance(s, SourceChanged)} == {"ok"}


def test_a_blind_that_a_hand_moves_is_told_where_it_comes_to_rest(blind):
    world, asked = blind
    publish.single("x/blind/position/set", b"20", 1, port=world.broker.port)
    until(lambda: world.reported == 80)
    until(lambda: asked == [b"20"])
    assert positions(world)[-1] == 80
    assert len(positions(world)) <= 5
