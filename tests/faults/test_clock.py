"""A whole room whose wall clock jumps or starts in 1970: nothing fires by it, nothing sticks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.app import Appliance
from edge.assembly import build_core
from edge.config import load_room
from edge.contracts.base import Now
from edge.contracts.signals import CalendarRead, Meeting, MotionChanged, OperatorAsked
from edge.journal import open_reader
from edge.replay import replay
from tests.world.mosquitto import free_port
from tests.world.places import ROOT
from tests.world.waiting import until

HOUR = 3600.0
LEASE_S = 300.0
ROOM = """
nodes = ["board1"]
[room]
id = "aurora"
name = "Aurora"
timezone = "Europe/Berlin"
[broker]
port = {broker}
[site]
port = {site}
[calendar]
url = "http://127.0.0.1:{calendar}/room/calendar/"
[[actuators]]
name = "climate.setpoint"
driver = "mqtt"
device = "radiator"
field = "occupied_heating_setpoint"
min = 15.0
max = 28.0
rate_per_min = 600
fallback = 18.0
[[actuators]]
name = "light.main"
driver = "mqtt"
device = "ceiling"
field = "brightness"
min = 0.0
max = 100.0
fallback = 0
[[actuators]]
name = "vm/*"
driver = "vm"
values = ["demo-small"]
[plugins]
folder = "{root}/wasm_modules"
keys = "{root}/config/keys"
enabled = []
[policy]
file = "{root}/config/policies/room.cedar"
[intents]
file = "{root}/config/intents.toml"
[journal]
path = "room.journal"
[clock]
always_trust = true
[panel]
port = {panel}
theme = "{root}/config/theme"
[health]
port = {health}
"""


class Hands:
    """The host's clocks, with a wall clock that a test moves; `passed`: seconds, by both."""

    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift
        self.passed = 0.0

    def __call__(self) -> Now:
        wall = time.time() + self.shift + self.passed
        return Now(wall, time.monotonic() + self.passed, True)


@contextmanager
def running(folder: Path, hands: Hands) -> Iterator[Appliance]:
    names = ("broker", "site", "calendar", "panel", "health")
    config = folder / "room.toml"
    config.write_text(ROOM.format(root=ROOT, **{name: free_port() for name in names}))
    room = Appliance(load_room(config), hands)
    room.start()
    try:
        yield room
    finally:
        room.stop()


def meeting_now(room: Appliance) -> None:
    """A meeting that began a minute ago and goes on for half an hour, with people in it."""
    now = time.time()
    room.inbox.post(MotionChanged("node:board1", True))
    booked = Meeting("m1", now - 60, now + 1800, categories=("demo",))
    room.inbox.post(CalendarRead("calendar", (booked,)))


def phase(room: Appliance) -> str:
    life = room.loop.state.lives.get("m1/")
    return "" if life is None else life.phase


def told(room: Appliance, level: float) -> None:
    """Return once the loop has decided with the clock as it is now, by a light of that level."""
    room.inbox.post(OperatorAsked("panel", "set", actuator="light.main", value=level))
    until(lambda: room.loop.state.given["light.main"].value == level)


@pytest.mark.parametrize("jump", [HOUR, -HOUR, -1.7e9], ids=["forth", "back", "1970"])
def test_a_jump_ends_no_meeting_and_no_lease(tmp_path: Path, jump: float) -> None:
    hands = Hands()
    with running(tmp_path, hands) as room:
        meeting_now(room)
        until(lambda: phase(room) == "active")
        wish = OperatorAsked(
            "panel", "set", actuator="climate.setpoint", value=24.5, seconds=LEASE_S
        )
        room.inbox.post(wish)
        until(lambda: room.loop.state.given["climate.setpoint"].value == 24.5)
        machines = room.loop.state.wanted
        assert machines
        for shift, level in ((jump, 11.0), (0.0, 12.0), (jump, 13.0)):
            hands.shift = shift
            told(room, level)
            assert phase(room) == "active"
            assert room.loop.state.wanted == machines
            assert room.loop.state.given["climate.setpoint"].value == 24.5
        # So long after a jump the clock is believed: the meeting may end, the lease must.
        hands.passed = LEASE_S
        told(room, 14.0)
        until(lambda: room.loop.state.given["climate.setpoint"].value != 24.5)
    with open_reader(tmp_path / "room.journal") as reader:
        assert replay(reader.read(), build_core).same


def test_in_1970_no_meeting_begins_and_the_room_stays_at_rest(tmp_path: Path) -> None:
    hands = Hands(shift=-time.time() + 100)
    with running(tmp_path, hands) as room:
        until(lambda: "climate.setpoint" in room.loop.state.given)
        meeting_now(room)
        room.inbox.post(OperatorAsked("panel", "set", actuator="climate.setpoint", value=23.0))
        told(room, 11.0)
        assert not room.loop.state.room.clock_trusted
        assert phase(room) in ("", "booked")
        assert room.loop.state.wanted == ()
        # A person is obeyed whatever the clock says.
        assert room.loop.state.given["climate.setpoint"].value == 23.0
