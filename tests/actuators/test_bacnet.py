"""A controller with a stack of other people's (Rust), alone and under a building's management."""

import asyncio
import os
import shutil
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass

import pytest
from rusty_bacnet import (
    BACnetClient,
    BacnetError,
    ObjectIdentifier,
    ObjectType,
    PropertyIdentifier,
    PropertyValue,
)

from edge.actuators.bacnet import points
from edge.actuators.bacnet.device import BacnetPort
from edge.actuators.bacnet.points import Point
from edge.actuators.bacnet.stack import BacnetStack, StackSettings
from edge.actuators.errors import DeviceLostError, DeviceRefusedError
from edge.contracts.signals import DeviceReported, SourceChanged
from tests.actuators.device_room import DeviceRoom
from tests.world.mosquitto import free_port
from tests.world.peer import Peer
from tests.world.waiting import until

INSTANCE = 3056
OURS = 12
POINTS = (
    Point.parse("climate.setpoint", "analog-value,1", ()),
    Point.parse("ventilation.level", "analog-output,2", ()),
    Point.parse("ventilation.fan", "binary-value,3", ("on", "off")),
    Point.parse("climate.mode", "multi-state-value,5", ("off", "heat", "cool")),
)
SETPOINT = (ObjectType.ANALOG_VALUE, 1)


class Management:
    """The building's management: another master on the same objects, with the peer's stack."""

    def __init__(self, device: str) -> None:
        self._device = device

    def write(self, target, value, priority):
        self._run(lambda c, oid: c.write_property(self._device, oid, PV, value, priority), target)

    def read(self, target):
        return self._run(lambda c, oid: c.read_property(self._device, oid, PV), target).value

    def slot(self, target, number):
        what = PropertyIdentifier.PRIORITY_ARRAY
        found = self._run(
            lambda c, oid: c.read_property(self._device, oid, what, array_index=number), target
        )
        return None if found.tag == "null" else found.value

    def answers(self):
        with suppress(BacnetError, OSError, TimeoutError):
            self._run(lambda c, oid: c.read_property(self._device, oid, PV), SETPOINT, 500)
            return True
        return False

    def _run(self, ask, target, answer_ms=500):
        async def run():
            async with BACnetClient("127.0.0.1", 0, apdu_timeout_ms=answer_ms) as client:
                return await ask(client, ObjectIdentifier(*target))

        return asyncio.run(run())


PV = PropertyIdentifier.PRESENT_VALUE


class Building:
    """The controller on its own loopback address, its management, and the room's stack."""

    def __init__(self, stack, answer_s=1.0):
        self.port = free_port()
        self.address = f"127.0.0.2:{self.port}"
        self.management = Management(self.address)
        self._stack = stack
        self.stack = BacnetStack(StackSettings(f"127.0.0.1/32:{free_port()}", 4_190_001, answer_s))
        self.stack.start()
        stack.callback(self.stack.stop)

    def start(self):
        peer = Peer("tests.world.bacnet_device", f"--port={self.port}")
        self.controller = self._stack.enter_context(peer)
        until(self.management.answers, what="the controller answers")

    def room(self, points_=POINTS, poll_s=30.0, priority=OURS):
        """Polls so seldom that a change in time was told, not found."""
        port = BacnetPort(self.stack, points_, priority, poll_s, self.address)
        world = DeviceRoom(self._stack, port, tuple(p.actuator for p in points_)).start()
        port.changed = world.follower.poke
        return world


@pytest.fixture
def building(stack):
    return Building(stack)


def test_every_kind_of_object_is_written_in_the_rooms_own_slot(building):
    building.start()
    world = building.room()
    world.apply("climate.setpoint", 21.3)
    world.apply("ventilation.level", 40)
    world.apply("ventilation.fan", "on")
    world.apply("climate.mode", "cool")
    world.until_reported("climate.setpoint", 21.3)
    world.until_reported("ventilation.level", 40)
    world.until_reported("ventilation.fan", "on")
    world.until_reported("climate.mode", "cool")
    assert building.management.slot(SETPOINT, OURS) == pytest.approx(21.3)
    assert building.management.slot((ObjectType.MULTI_STATE_VALUE, 5), OURS) == 3
    assert building.management.slot(SETPOINT, 16) is None
    assert world.healths == [("ok", "")]


def test_a_lapsed_lease_gives_the_slot_back(building):
    building.start()
    building.management.write(SETPOINT, PropertyValue.real(17.0), 16)
    world = building.room()
    world.apply("climate.setpoint", 22.0, 1500.0)
    world.until_reported("climate.setpoint", 22.0)
    world.wall = 1501.0
    world.follower.poke()
    world.until_reported("climate.setpoint", 17.0)
    assert building.management.slot(SETPOINT, OURS) is None


def test_a_release_and_the_end_give_the_slots_back(building):
    building.start()
    world = building.room()
    world.apply("climate.setpoint", 22.0)
    world.apply("ventilation.level", 30)
    world.until_reported("ventilation.level", 30)
    world.until_reported("climate.setpoint", 22.0)
    world.follower.release("climate.setpoint")
    until(lambda: building.management.slot(SETPOINT, OURS) is None)
    assert building.management.slot((ObjectType.ANALOG_OUTPUT, 2), OURS) == 30
    world.follower.stop()
    assert building.management.slot((ObjectType.ANALOG_OUTPUT, 2), OURS) is None


def test_what_the_management_sets_at_a_better_priority_is_told_and_named(building):
    building.start()
    world = building.room()
    world.apply("climate.setpoint", 22.0)
    world.until_reported("climate.setpoint", 22.0)
    building.management.write(SETPOINT, PropertyValue.real(18.0), 8)
    world.until_reported("climate.setpoint", 18.0)
    world.until_health(lambda h, reason: h == "degraded" and "18.0 by priority 8" in reason)
    told = world.signals.index(DeviceReported("device:thing", "climate.setpoint", 18.0))
    before = [s.health for s in world.signals[:told] if isinstance(s, SourceChanged)]
    assert before == ["ok"], "a change by others is no fault"
    assert building.management.slot(SETPOINT, OURS) == 22.0
    building.management.write(SETPOINT, PropertyValue.null(), 8)
    world.until_health(lambda health, _reason: health == "ok")
    assert world.reported("climate.setpoint") == 22.0


def test_a_controller_that_restarts_is_told_again_and_goes_on_telling(building):
    building.start()
    world = building.room(poll_s=0.3)
    world.apply("climate.setpoint", 23.0)
    world.until_reported("climate.setpoint", 23.0)
    building.controller.kill()
    world.until_health(lambda health, reason: health == "lost" and "127.0.0.2" in reason, 30)
    building.start()
    until(lambda: building.management.slot(SETPOINT, OURS) == 23.0, 30)
    world.until_health(lambda health, _reason: health == "ok")


def test_a_controller_that_happens_to_rest_where_it_should_be_is_held_there_all_the_same(building):
    building.start()
    world = building.room(poll_s=0.3)
    world.apply("climate.setpoint", 0.0)
    until(lambda: building.management.slot(SETPOINT, OURS) == 0.0)
    world.until_agreed()
    building.controller.kill()
    world.until_health(lambda health, _reason: health == "lost", 30)
    building.start()
    until(lambda: building.management.slot(SETPOINT, OURS) == 0.0, 30)


def test_a_lease_that_lapses_while_the_controller_is_away_is_given_back_later(building):
    building.start()
    world = building.room(poll_s=0.3)
    world.apply("climate.setpoint", 23.0, 1500.0)
    world.until_reported("climate.setpoint", 23.0)
    building.controller.process.send_signal(19)
    world.until_health(lambda health, _reason: health == "lost", 30)
    world.wall = 1501.0
    building.controller.process.send_signal(18)
    until(lambda: building.management.slot(SETPOINT, OURS) is None, 30)


def test_an_object_that_is_not_there_or_read_only_is_named_and_costs_only_itself(building):
    building.start()
    wrong = (
        POINTS[0],
        Point.parse("climate.measured", "analog-value,9", ()),
        Point.parse("climate.lost", "analog-value,77", ()),
    )
    world = building.room(wrong[:2])
    world.apply("climate.measured", 21.0)
    world.until_health(lambda h, reason: h == "degraded" and "write-access-denied" in reason)
    world.apply("climate.setpoint", 20.5)
    world.until_reported("climate.setpoint", 20.5)
    missing = building.room(wrong[::2])
    missing.until_health(lambda h, reason: h == "degraded" and "unknown-object" in reason)
    missing.apply("climate.setpoint", 20.0)
    missing.until_reported("climate.setpoint", 20.0)


def test_an_address_that_is_not_ours_or_taken_is_named():
    for address, said in (("192.0.2.1/24", "192.0.2.1:47808 cannot be used"),):
        stack = BacnetStack(StackSettings(address, 1, 0.5))
        stack.start()
        try:
            with pytest.raises(DeviceLostError, match=said):
                stack.locate("", 7)
        finally:
            stack.stop()


def test_the_stack_ends_at_once_even_while_it_waits(building):
    port = BacnetPort(building.stack, POINTS, OURS, 30.0, f"127.0.0.3:{building.port}")
    with pytest.raises(DeviceLostError, match="does not answer"):
        port.open()
    building.stack.stop()
    with pytest.raises(DeviceLostError, match="has ended"):
        port.open()


def test_values_that_fit_no_object_are_refused_and_rubbish_is_not_believed():
    setpoint, _, fan, mode = POINTS
    for point, value in ((setpoint, "warm"), (setpoint, float("nan")), (fan, 1), (mode, "dry")):
        with pytest.raises(DeviceRefusedError):
            points.to_present(point, value)
    for present in (None, "21", float("inf"), float("nan"), object()):
        assert points.from_present(setpoint, present) is None
    assert points.from_present(mode, 9) is None
    assert points.from_present(mode, 0) is None
    assert points.from_present(fan, 7) is None
    assert points.from_present(setpoint, 21.299999237060547) == 21.3


def test_the_first_slot_that_is_not_empty_rules():
    assert points.ruling([None] * 16) is None
    assert points.ruling([]) is None
    assert points.ruling([None] * 7 + [18.0] + [None] * 3 + [21.0]) == (8, 18.0)
    assert points.ruling([0.0] * 16) == (1, 0.0), "nothing is a value too"


class Rounding:
    """A controller that keeps half degrees, as it looks from above the network."""

    def __init__(self) -> None:
        self.slots = [Null()] * 16
        self.reads = []

    def locate(self, _address, _instance):
        return "there"

    def watch(self, *_):
        return lambda: None

    def write(self, _peer, _point, value, slot):
        self.slots[slot - 1] = Null() if value is None else Held(value)

    def read(self, _peer, _point, what="present-value"):
        self.reads.append(what)
        if what == "priority-array":
            return self.slots
        return next((round(s.real * 2) / 2 for s in self.slots if isinstance(s, Held)), 17.0)


class Null:
    _choice = "null"


@dataclass
class Held:
    real: float
    _choice: str = "real"


def test_what_a_device_makes_of_the_rooms_own_slot_is_followed(stack):
    controller = Rounding()
    port = BacnetPort(controller, POINTS[:1], OURS, 0.05, "there")
    world = DeviceRoom(stack, port, ("climate.setpoint",)).start()
    world.apply("climate.setpoint", 21.3)
    world.until_agreed()
    world.until_reported("climate.setpoint", 21.3)
    controller.slots[7] = Held(18.0)
    world.until_reported("climate.setpoint", 18.0)
    world.until_health(lambda h, reason: h == "degraded" and "18.0 by priority 8" in reason)
    controller.slots[7] = Null()
    world.until_health(lambda health, _reason: health == "ok")
    assert world.reported("climate.setpoint") == 21.3
    port.read()
    assert controller.reads[-1] == "present-value", "asked once who rules, not each time"


def test_a_lower_slot_with_the_same_value_does_not_stand_for_the_rooms_own():
    controller = Rounding()
    port = BacnetPort(controller, POINTS[:1], OURS, 1.0, "there")
    port.open()
    port.write("climate.setpoint", 21.3)
    controller.slots[OURS - 1] = Null()
    controller.slots[15] = Held(21.3)
    assert port.read() == {"climate.setpoint": 21.5}
    assert not port.same("climate.setpoint", 21.3, 21.5)


def test_rubbish_on_the_wire_costs_nothing(stack):
    building = Building(stack, answer_s=3.0)
    building.start()
    world = building.room()
    world.until_health(lambda health, _reason: health == "ok")
    host, port = building.stack._settings.address.replace("/32", "").split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rude:
        for size in range(200):
            rude.sendto(b"\x81\x0a" + size.to_bytes(2, "big") + os.urandom(size), (host, int(port)))
            rude.sendto(os.urandom(size), (host, int(port)))
    world.apply("climate.setpoint", 19.0)
    world.until_reported("climate.setpoint", 19.0)
    assert world.healths == [("ok", "")]


@pytest.fixture
def network(stack):
    """A network of two hosts: this one at 198.18.77.1, and a namespace at 198.18.77.2."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("network namespaces need root and iproute2")
    name = f"rk{os.getpid() % 100000}"

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError:
        pytest.skip("no network namespaces here")
    stack.callback(ip, "netns", "del", name)
    ip("link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name)
    ip("addr", "add", "198.18.77.1/30", "broadcast", "198.18.77.3", "dev", f"{name}a")
    ip("link", "set", f"{name}a", "up")
    inside = ("-n", name)
    ip(*inside, "addr", "add", "198.18.77.2/30", "broadcast", "198.18.77.3", "dev", f"{name}b")
    ip(*inside, "link", "set", f"{name}b", "up")
    ip(*inside, "link", "set", "lo", "up")
    return ["ip", "netns", "exec", name]


def test_a_controller_is_found_by_its_number_in_a_real_network(stack, network):
    options = ("--address=198.18.77.2", "--port=47808", "--broadcast=198.18.77.3")
    bacnet = BacnetStack(StackSettings("198.18.77.1/30", 4_190_002, 1.0))
    bacnet.start()
    stack.callback(bacnet.stop)
    port = BacnetPort(bacnet, POINTS, OURS, 30.0, instance=INSTANCE)
    world = DeviceRoom(stack, port, ("climate.setpoint",)).start()
    port.changed = world.follower.poke
    world.until_health(lambda h, reason: h == "lost" and "device 3056" in reason)
    stack.enter_context(Peer("tests.world.bacnet_device", *options, under=network))
    world.apply("climate.setpoint", 24.5)
    world.until_reported("climate.setpoint", 24.5, 30)
    world.until_health(lambda health, _reason: health == "ok")
