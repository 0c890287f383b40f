import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest
from paho.mqtt import publish

from edge.actuators.dialects import Wiring
from edge.actuators.mqtt import MqttActuator, MqttDriver
from edge.contracts.base import Value
from edge.contracts.commands import Command
from edge.contracts.signals import DeviceReported, Signal, SourceChanged
from edge.process.link import Link
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until, within

ACTUATORS = (
    MqttActuator("light.main", Wiring("ceiling", "brightness")),
    MqttActuator("climate.setpoint", Wiring("radiator", "occupied_heating_setpoint")),
)


@dataclass
class World:
    """A broker, the driver on it, and what it posted; `asked` is what a device was told.

    follow_s: how soon the driver says again what is not done; some tests hear each word only once.
    """

    broker: Mosquitto
    stack: ExitStack
    follow_s: float = 0.1
    signals: list[Signal] = field(default_factory=list)
    asked: list[dict[str, object]] = field(default_factory=list)
    wall: float = 1000.0

    def __post_init__(self) -> None:
        self.link = Link("devices", self.broker.broker)
        self.driver = MqttDriver(
            self.link,
            ACTUATORS,
            self.signals.append,
            follow_s=self.follow_s,
            wall=lambda: self.wall,
        )
        self.driver.start()
        self.link.start()
        listener = Link("listener", self.broker.broker)
        listener.subscribe("zigbee2mqtt/+/set", lambda _t, body, _r: self._heard(body))
        listener.start()
        for part in (listener, self.link, self.driver):
            self.stack.callback(part.stop)
        until(lambda: self.link.connected and listener.connected)
        # What is wanted before it has looked is said twice.
        until(lambda: self.driver._was_up, what="the driver has seen the broker")

    def _heard(self, body: bytes) -> None:
        self.asked.append(json.loads(body))

    def devices(self, *names: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", "tests.world.devices", "--port", str(self.broker.port)]
        process = subprocess.Popen(line + [f"--device={name}" for name in names])
        self.stack.callback(process.wait, 10)
        self.stack.callback(process.kill)
        return process

    def say(self, device: str, payload: bytes, retain: bool = False) -> None:
        publish.single(f"zigbee2mqtt/{device}", payload, 1, retain, port=self.broker.port)

    def apply(self, actuator: str, value: Value, until_s: float = 2000.0) -> None:
        self.driver.apply(Command("c", actuator, value, until_s, "lights", "plugin", "cause"))

    def reports(self, actuator: str) -> list[Value]:
        return [
            s.value
            for s in self.signals
            if isinstance(s, DeviceReported) and s.actuator == actuator
        ]

    def reported(self, actuator: str) -> Value | None:
        found = self.reports(actuator)
        return found[-1] if found else None

    def health(self, device: str) -> list[tuple[str, str]]:
        return [
            (s.health, s.reason)
            for s in self.signals
            if isinstance(s, SourceChanged) and s.source == f"device:{device}"
        ]


@contextmanager
def a_world(follow_s: float = 0.1) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack.enter_context(Mosquitto()), stack, follow_s)


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as made:
        yield made


@pytest.fixture
def patient() -> Iterator[World]:
    with a_world(600.0) as made:
        yield made


BRIGHT = {"state": "ON", "brightness": 178}


def test_lights_and_climate_follow_and_report_in_the_rooms_units(patient: World):
    world = patient
    world.devices("ceiling", "radiator")
    until(lambda: world.reported("climate.setpoint") == 18.0)
    until(lambda: world.reported("light.main") == 0)
    world.apply("light.main", 70)
    world.apply("climate.setpoint", 21.3)
    until(lambda: world.reported("light.main") == 70)
    until(lambda: world.reported("climate.setpoint") == 21.3)
    world.apply("light.main", 0)
    until(lambda: world.reported("light.main") == 0)
    until(lambda: world.asked[-1:] == [{"state": "OFF", "brightness": 0}])
    assert world.health("ceiling") == [("ok", "")]


def test_a_renewed_lease_says_nothing_again(patient: World):
    world = patient
    world.devices("ceiling")
    until(lambda: world.reported("light.main") == 0)
    world.apply("light.main", 70)
    until(lambda: world.reported("light.main") == 70)
    for _ in range(5):
        world.apply("light.main", 70, 3000.0)
    world.apply("light.main", 71)
    until(lambda: world.reported("light.main") == 71)
    last = {"state": "ON", "brightness": 180}
    until(lambda: world.asked[-1:] == [last])
    assert world.asked == [BRIGHT, last]


def test_a_device_that_does_not_follow_is_degraded_then_heals(world: World):
    world.apply("light.main", 70)
    until(lambda: world.health("ceiling"))
    assert world.health("ceiling") == [("degraded", "light.main does not follow after 3 tries")]
    until(lambda: len(world.asked) >= 3)
    assert world.asked[0] == BRIGHT
    world.devices("ceiling")
    until(lambda: world.reported("light.main") == 70)
    until(lambda: world.health("ceiling")[-1][0] == "ok")


def test_a_switch_on_the_wall_is_reported_and_set_back_while_the_lease_holds(world: World):
    world.devices("ceiling")
    world.apply("light.main", 70)
    until(lambda: world.reported("light.main") == 70)
    before = len(world.reports("light.main"))
    publish.single("zigbee2mqtt/ceiling/set", b'{"state":"OFF"}', 1, port=world.broker.port)
    until(lambda: world.reports("light.main")[before:] == [0, 70])


def test_what_a_hand_set_is_left_for_the_room_to_decide_and_taken_over_without_a_word(
    patient: World,
):
    world = patient
    world.devices("ceiling")
    until(lambda: world.reported("light.main") == 0)
    world.apply("light.main", 70)
    until(lambda: world.reported("light.main") == 70)
    publish.single("zigbee2mqtt/ceiling/set", b'{"brightness":25}', 1, port=world.broker.port)
    until(lambda: world.reported("light.main") == 10)
    until(lambda: world.asked == [BRIGHT, {"brightness": 25}])
    world.driver.apply(Command("c", "light.main", 10, 2000.0, "device:ceiling", "manual", "cause"))
    world.driver._follow_s = 0.1
    world.apply("climate.setpoint", 21.0)
    # No radiator is there to follow: it is told again and again, and the light is not.
    until(lambda: len(world.asked) > 4)
    assert all(asked == {"occupied_heating_setpoint": 21.0} for asked in world.asked[2:])
    assert world.driver._rows["light.main"].desire.value == 10


def test_after_the_lease_or_a_release_nothing_is_wanted_any_more(patient: World):
    world = patient
    world.devices("ceiling", "radiator")
    until(lambda: world.reported("light.main") == 0 and world.reported("climate.setpoint") == 18)
    world.apply("light.main", 70, until_s=1010.0)
    world.apply("climate.setpoint", 21.0)
    until(lambda: world.reported("light.main") == 70)
    until(lambda: world.reported("climate.setpoint") == 21.0)
    world.wall = 1011.0
    world.driver.release("climate.setpoint")
    until(lambda: world.driver._rows["light.main"].desire is None)
    until(lambda: len(world.asked) == 2)
    world.driver._follow_s = 0.1
    world.say("ceiling", b'{"state":"ON","brightness":10}')
    world.say("radiator", b'{"occupied_heating_setpoint":17}')
    until(lambda: world.reported("light.main") == 4)
    until(lambda: world.reported("climate.setpoint") == 17)
    # The driver's thread looked at both again and again while this third one came and went.
    world.apply("light.main", 50)
    until(lambda: world.reported("light.main") == 50)
    until(lambda: len(world.asked) > 2)
    assert all(asked == {"state": "ON", "brightness": 127} for asked in world.asked[2:])


def test_what_was_wanted_during_an_outage_is_said_when_the_broker_is_back(world: World):
    world.devices("ceiling")
    until(lambda: world.reported("light.main") == 0)
    world.broker.kill()
    until(lambda: not world.link.connected)
    world.apply("light.main", 70)
    world.broker.start()
    until(lambda: world.reported("light.main") == 70, 20)


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"[]",
        b"\xff",
        b'{"brightness": NaN}',
        b'{"state": "MAYBE"}',
        b'{"state":"ON","brightness": 99999}',
        b'{"state":"ON","brightness": -5}',
        b"[" * 100_000,
    ],
)
def test_a_malformed_state_degrades_the_device_and_moves_nothing(world: World, payload: bytes):
    world.say("ceiling", payload)
    until(lambda: world.health("ceiling"))
    assert world.health("ceiling")[-1][0] == "degraded"
    assert world.reported("light.main") is None
    world.say("ceiling", b'{"state":"ON","brightness":254}')
    until(lambda: world.reported("light.main") == 100)


def test_ten_megabytes_stop_nothing(world: World):
    world.say("ceiling", b"x" * 10_000_000)
    world.say("ceiling", b'{"state":"ON","brightness":254}')
    until(lambda: world.reported("light.main") == 100)


def test_a_value_or_an_actuator_that_cannot_be_is_refused(world: World):
    world.apply("light.main", "bright")
    until(lambda: world.health("ceiling"))
    assert "bright" in world.health("ceiling")[-1][1]
    world.apply("nothing", 1)
    assert world.asked == []


def test_stop_is_quick_and_says_nothing(world: World):
    world.apply("light.main", 70)
    with within(0.5):
        world.driver.stop()
