"""A real Home Assistant beside a real room: entities are there, and calling one moves a lamp."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from edge.actuators.discovery.homeassistant import spelled
from edge.contracts.entity import Availability, known_keys
from edge.process.link import Link
from tests.world import homeassistant
from tests.world.bare import LAMP, NO_PANEL, NO_PLUGINS, run_line, write_bare
from tests.world.homeassistant import HomeAssistant
from tests.world.mosquitto import Mosquitto
from tests.world.places import ROOT
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

DEVICES = """
[[actuators]]
name = "climate.setpoint"
driver = "mqtt"
device = "radiator"
field = "occupied_heating_setpoint"
min = 15.0
max = 28.0
rate_per_min = 60
fallback = 18.0
[[actuators]]
name = "blind.window"
driver = "mqtt"
dialect = "tasmota"
device = "blind-1"
field = "position"
min = 0.0
max = 100.0
fallback = 0
[[actuators]]
name = "display.power"
driver = "mqtt"
dialect = "tasmota"
device = "plug-1"
field = "state"
values = ["on", "off"]
fallback = "off"
[[actuators]]
name = "display.input"
driver = "mqtt"
dialect = "homeassistant"
device = "input"
field = "option"
values = ["one", "two", "three"]
fallback = "one"
[actuators.entity]
component = "select"
command_topic = "x/input/set"
state_topic = "x/input"
[[actuators]]
name = "ventilation.level"
driver = "mqtt"
dialect = "tasmota"
device = "fan-1"
field = "level"
key = "FanSpeed"
device_max = 3.0
min = 0.0
max = 100.0
fallback = 0
"""
ANNOUNCED = """
[home_assistant]
discovery = {discovery}
"""

WORLD = (
    ("tests.world.devices", "--device=lamp", "--device=radiator"),
    ("tests.world.tasmota", "--device=blind-1"),
    ("tests.world.tasmota", "--device=plug-1"),
    ("tests.world.tasmota", "--device=fan-1"),
    ("tests.world.entity", "--component=select", "--name=input"),
    ("tests.world.board", "--room=aurora", "--node=desk", "--people=0:2"),
)


@dataclass
class House:
    """A broker, its devices, a room on it and Home Assistant."""

    broker: Mosquitto
    folder: Path
    stack: ExitStack
    room: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        for module, *options in WORLD:
            command = (sys.executable, "-m", module, f"--port={self.broker.port}", *options)
            self.process(*command)
        self.home = self.stack.enter_context(HomeAssistant(self.broker.port))

    def process(self, *command: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, stderr=log, env=environment, cwd=ROOT)
        self.stack.callback(process.wait, 10)
        self.stack.callback(process.kill)
        return process

    def live(self, discovery: bool) -> None:
        """Start the room, after ending the one that runs."""
        self.die()
        announced = ANNOUNCED.format(discovery=str(discovery).lower())
        config, _ = write_bare(
            self.folder,
            *(LAMP, DEVICES, NO_PLUGINS, NO_PANEL, announced),
            room="aurora",
            nodes=["desk"],
            broker=self.broker.port,
            more_of_room='name = "Aurora"',
        )
        self.room = self.process(*run_line(config))

    def die(self) -> None:
        if self.room is not None:
            self.room.terminate()
            self.room.wait(10)
            self.room = None

    def is_(self, entity: str, state: object, **attributes: object) -> None:
        """Wait until Home Assistant shows this."""

        def shows() -> bool:
            found = self.home.state(entity)
            if found is None or found["state"] != state:
                return False
            return all(found["attributes"].get(k) == v for k, v in attributes.items())

        try:
            until(shows, 40)
        except AssertionError:
            known = [told["entity_id"] for told in self.home.states()]
            found = f"{entity} is {self.home.state(entity)}, not {state} {attributes}"
            raise AssertionError(f"{found}; {known}; {errors(self.home.log())[:4000]}") from None


@pytest.fixture
def house(tmp_path) -> Iterator[House]:
    homeassistant.prepare()
    with ExitStack() as stack:
        made = House(stack.enter_context(Mosquitto()), tmp_path, stack)
        made.begin()
        yield made


def test_the_room_appears_in_home_assistant_is_moved_from_there_and_disappears(house):
    house.live(discovery=True)
    house.is_("light.aurora_light_main", "off")
    house.is_("binary_sensor.aurora_occupancy", "on", device_class="occupancy")
    until(lambda: house.home.state("sensor.aurora_mode"), 40)
    house.is_("sensor.aurora_meeting", "free")
    until(lambda: house.home.state("sensor.aurora_temperature"), 40)
    until(lambda: house.home.state("sensor.aurora_temperature")["state"] != "unknown")
    assert 15 < float(house.home.state("sensor.aurora_temperature")["state"]) < 30
    house.is_("sensor.aurora_people", "unknown")
    house.is_("climate.aurora_climate_setpoint", "auto", temperature=18.0)
    house.is_("cover.aurora_blind_window", "open", current_position=100)
    house.is_("switch.aurora_display_power", "off")
    house.is_("select.aurora_display_input", "one", options=["one", "two", "three"])
    house.is_("number.aurora_ventilation_level", "0")

    call = house.home.call
    call("light.turn_on", entity_id="light.aurora_light_main", brightness_pct=40)
    call("climate.set_temperature", entity_id="climate.aurora_climate_setpoint", temperature=21.5)
    call("cover.set_cover_position", entity_id="cover.aurora_blind_window", position=30)
    call("switch.turn_on", entity_id="switch.aurora_display_power")
    call("select.select_option", entity_id="select.aurora_display_input", option="two")
    call("number.set_value", entity_id="number.aurora_ventilation_level", value=100)
    house.is_("light.aurora_light_main", "on", brightness=102)
    house.is_("climate.aurora_climate_setpoint", "auto", temperature=21.5)
    house.is_("cover.aurora_blind_window", "open", current_position=30)
    house.is_("switch.aurora_display_power", "on")
    house.is_("select.aurora_display_input", "two")
    house.is_("number.aurora_ventilation_level", "100")
    call("light.turn_off", entity_id="light.aurora_light_main")
    call("cover.close_cover", entity_id="cover.aurora_blind_window")
    house.is_("light.aurora_light_main", "off")
    house.is_("cover.aurora_blind_window", "closed")
    house.is_("switch.aurora_automation", "on")
    call("switch.turn_off", entity_id="switch.aurora_automation")
    house.is_("switch.aurora_automation", "off")
    until(lambda: "paused" in house.home.state("sensor.aurora_mode")["state"])
    call("switch.turn_on", entity_id="switch.aurora_automation")
    house.is_("switch.aurora_automation", "on")
    # Nobody's wish holds any more: the schedule has it as it is at rest.
    call("button.press", entity_id="button.aurora_release")
    house.is_("select.aurora_display_input", "one")
    house.is_("number.aurora_ventilation_level", "0")
    assert "roomkeeper" not in errors(house.home.log())

    # Its store is gone, and with it everything announced: the room says it all again.
    house.broker.kill()
    house.is_("light.aurora_light_main", "unavailable")
    house.broker.start()
    house.is_("light.aurora_light_main", "off")
    call("light.turn_on", entity_id="light.aurora_light_main", brightness_pct=60)
    house.is_("light.aurora_light_main", "on", brightness=153)

    house.die()
    house.is_("light.aurora_light_main", "unavailable")
    house.live(discovery=True)
    house.is_("light.aurora_light_main", "on")
    house.live(discovery=False)
    until(lambda: house.home.state("light.aurora_light_main") is None, 40)
    until(lambda: not [s for s in house.home.states() if "aurora" in s["entity_id"]], 40)
    assert retained(house.broker) == []


SPELL = """
import json
from homeassistant.components.mqtt.abbreviations import ABBREVIATIONS
print(json.dumps(ABBREVIATIONS))
"""


def test_abbreviations_are_spelled_out_as_home_assistant_does():
    homeassistant.prepare()
    line = [str(homeassistant.PYTHON), "-c", SPELL]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=120)
    fields = {field.name for field in msgspec.structs.fields(Availability)}
    known = known_keys() | fields | {"min_temp", "max_temp", "object_id", "origin", "device"}
    told = json.loads(done.stdout)
    assert len(told) > 200
    for short, whole in told.items():
        (name,) = spelled({short: "x"})
        assert name == whole or (whole not in known and name not in known), (short, name, whole)


def errors(text: str) -> str:
    """Return what Home Assistant complained of."""
    return "\n".join(line for line in text.splitlines() if "ERROR" in line or "WARNING" in line)


def retained(broker: Mosquitto) -> list[str]:
    """Return the topics of the room that the broker still keeps."""
    found: list[str] = []
    link = Link("reader", broker.broker)
    link.subscribe("roomkeeper/#", lambda topic, _b, kept: found.append(topic) if kept else None)
    link.subscribe(
        "homeassistant/+/roomkeeper_aurora/#",
        lambda topic, _b, kept: found.append(topic) if kept else None,
    )
    marker: list[str] = []
    link.subscribe("marker", lambda topic, _b, _k: marker.append(topic))
    link.start()
    try:
        until(lambda: link.connected)
        link.publish("marker", b"")
        until(lambda: marker)
    finally:
        link.stop()
    return found
