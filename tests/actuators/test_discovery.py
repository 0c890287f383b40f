"""What announces itself becomes blocks that load; hostile announcements become nothing."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import publish

from edge.actuators.discovery import Finder, Found, blocks
from edge.actuators.discovery.listen import MESSAGE_LIMIT
from edge.config import _actuator_mistakes, load_room
from edge.config_schema import ActuatorSection
from tests.world import devices, entity, tasmota
from tests.world.mosquitto import Mosquitto
from tests.world.places import BIN, ROOT
from tests.world.waiting import until

ZIGBEE = "zigbee2mqtt/bridge/devices"
TASMOTA = "tasmota/discovery/00AA/config"


def find(topic: str, told: object) -> tuple[Found, ...]:
    finder = Finder()
    finder.take(topic, told if isinstance(told, bytes) else json.dumps(told).encode())
    return finder.found


def loaded(found: tuple[Found, ...], folder: Path) -> list[dict[str, object]]:
    """Return the blocks as tables, after a room has loaded them."""
    written = "\n".join(blocks(found))
    config = folder / "room.toml"
    config.write_text(
        f'{written}\n[room]\nid = "aurora"\n[calendar]\nurl = "http://127.0.0.1/x"\n'
        f"[plugins]\nenabled = []\n[panel]\nenabled = false\n"
        f'[policy]\nfile = "{ROOT}/config/policies/room.cedar"\n'
        f'[intents]\nfile = "{ROOT}/config/intents.toml"\n'
    )
    load_room(config)
    return list(tomllib.loads(written).get("actuators", []))


def short(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(r["name"], r["device"], r["field"], r.get("key", "")) for r in rows]


def test_zigbee_devices_are_listed_ready_to_paste(tmp_path):
    rows = loaded(find(ZIGBEE, devices.announced(["Ceiling 1", "radiator"])), tmp_path)
    assert short(rows) == [
        ("light.ceiling-1", "Ceiling 1", "brightness", ""),
        ("climate.radiator", "radiator", "occupied_heating_setpoint", ""),
    ]
    assert (rows[1]["min"], rows[1]["max"], rows[1]["fallback"]) == (5.0, 30.0, 18.0)


def gang(*endpoints: str) -> dict[str, object]:
    groups = [
        {
            "type": "switch",
            "endpoint": e,
            "features": [{"name": "state", "property": f"state_{e}", "access": 7}],
        }
        for e in endpoints
    ]
    return {"friendly_name": "hall/TV socket", "definition": {"exposes": groups}}


def test_every_gang_cover_and_fan_is_a_thing_of_its_own_in_another_base(tmp_path):
    fan = {"type": "fan", "features": [
        {"name": "mode", "property": "fan_mode", "access": 7, "values": ["off", "low", "high"]},
    ]}  # fmt: skip
    cover = {
        "type": "cover",
        "features": [{"name": "position", "property": "position", "access": 7}],
    }
    told = [gang("l1", "l2"), {"friendly_name": "both", "definition": {"exposes": [fan, cover]}}]
    rows = loaded(find("zigbee/bridge/devices", told), tmp_path)
    assert short(rows) == [
        ("ventilation.both", "both", "option", "fan_mode"),
        ("blind.both", "both", "position", ""),
        ("display.hall-tv-socket-l1", "hall/TV socket", "state", "state_l1"),
        ("display.hall-tv-socket-l2", "hall/TV socket", "state", "state_l2"),
    ]
    assert {row["base"] for row in rows} == {"zigbee"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plug-1", [("switch.plug-1", "plug-1", "state", "")]),
        ("lamp-1", [("light.lamp-1", "lamp-1", "brightness", ""),
                    ("white.lamp-1-white", "lamp-1", "color_temp", "")]),
        ("blind-1", [("blind.blind-1", "blind-1", "position", "")]),
        ("fan-1", [("ventilation.fan-1", "fan-1", "level", "FanSpeed"),
                   ("light.fan-1", "fan-1", "state", "")]),
    ],
)  # fmt: skip
def test_tasmota_devices_are_listed_ready_to_paste(tmp_path, name, expected):
    kind = tasmota.KINDS.get(name.split("-")[0], tasmota.Plug)
    told = tasmota.announced(name, kind(), "00AA")
    assert sorted(short(loaded(find(TASMOTA, told), tmp_path))) == sorted(expected)


@pytest.mark.parametrize(
    ("component", "sort", "field"),
    [
        ("light", "light", "brightness"),
        ("switch", "switch", "state"),
        ("cover", "blind", "position"),
        ("fan", "ventilation", "level"),
        ("number", "number", "level"),
        ("select", "select", "option"),
        ("climate", "climate", "occupied_heating_setpoint"),
    ],
)
def test_entities_are_listed_ready_to_paste(tmp_path, component, sort, field):
    told = entity.announced(component, "thing")
    (row,) = loaded(find(f"homeassistant/{component}/thing/config", told), tmp_path)
    assert (row["name"], row["field"]) == (f"{sort}.thing", field)
    table = row["entity"]
    assert isinstance(table, dict)
    assert table["availability"] == [{"topic": "x/thing/there"}]


def test_what_is_found_in_its_own_dialect_and_the_room_itself_are_left_out():
    told = entity.announced("switch", "thing")
    assert find("homeassistant/switch/roomkeeper_aurora/x/config", told) == ()
    assert find("homeassistant/switch/x/config", {**told, "o": {"name": "Zigbee2MQTT"}}) == ()
    assert find("homeassistant/sensor/x/config", told) == ()
    assert len(find("homeassistant/switch/node/x/config", told)) == 1


NAMES = st.text(max_size=120) | st.sampled_from(
    ['"\n[room]\nid = "evil', "x\x7f", "\u202etv", "a/#"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


LIMITS = st.none() | st.floats() | st.integers() | st.text(max_size=3)


@given(LIMITS, LIMITS)
def test_whatever_limits_are_announced_the_blocks_are_what_a_room_takes(low, high):
    light = [{"name": "brightness", "property": "brightness", "access": 7, "value_max": high},
             {"name": "color_temp", "property": "color_temp", "access": 7,
              "value_min": low, "value_max": high}]  # fmt: skip
    valve = [{"name": "current_heating_setpoint", "property": "current_heating_setpoint",
              "access": 7, "value_min": low, "value_max": high}]  # fmt: skip
    exposes = [{"type": "light", "features": light}, {"type": "climate", "features": valve}]
    told: list[tuple[str, object]] = [
        (ZIGBEE, [{"friendly_name": "it", "definition": {"exposes": exposes}}])
    ]
    limits = {"min": low, "max": high, "min_temp": low, "max_temp": high, "spd_rng_max": high}
    for sort in ("number", "climate", "fan"):
        told.append((f"homeassistant/{sort}/x/config", {**entity.announced(sort, "it"), **limits}))
    for topic, what in told:
        for block in blocks(find(topic, msgspec.json.encode(what))):
            (row,) = tomllib.loads(block)["actuators"]
            section = msgspec.convert(row, ActuatorSection)
            assert list(_actuator_mistakes(section)) == [], block


@given(NAMES, ANYTHING, st.sampled_from(["features", "exposes", "values", "t", "cmd_t", "name"]))
def test_whatever_is_announced_only_sound_blocks_come_of_it(name, thing, place):
    fan = {"name": "mode", "property": name, "access": 7, "values": [name, "off"]}
    group = {"type": "fan", "endpoint": name, "features": [fan], place: thing}
    told: list[tuple[str, object]] = [
        (ZIGBEE, [{"friendly_name": name, "definition": {"exposes": [group], place: thing}}]),
        (ZIGBEE, thing),
        (TASMOTA, {**tasmota.announced(name, tasmota.Plug(), "00AA"), place: thing}),
        ("homeassistant/switch/x/config", {**entity.announced("switch", name), place: thing}),
        ("homeassistant/select/x/config", {**entity.announced("select", name), "options": thing}),
    ]
    for topic, what in told:
        found = find(topic, what)
        for block in blocks(found):
            assert set(tomllib.loads(block)) == {"actuators"}
            msgspec.convert(tomllib.loads(block)["actuators"][0], ActuatorSection)


@pytest.mark.parametrize("text", ["\x7f", '"', "\\", "\n[room]", "\u2028", "\U0001f600", "\x00"])
def test_what_a_device_calls_on_is_written_as_toml_reads_it(text):
    told = {**entity.announced("switch", "it"), "pl_on": text}
    (block,) = blocks(find("homeassistant/switch/it/config", told))
    assert tomllib.loads(block)["actuators"][0]["entity"]["payload_on"] == text


@pytest.mark.parametrize("payload", [b"[" * 100_000, b"\xff", b"{", b"5", b"x" * 1_000_000])
def test_what_is_no_announcement_is_counted(payload):
    for topic in (ZIGBEE, TASMOTA, "homeassistant/switch/x/config"):
        finder = Finder()
        finder.take(topic, payload)
        assert (finder.found, finder.refused) == ((), 1)


def test_a_flood_is_cut_and_what_is_taken_back_is_gone():
    finder = Finder()
    told = json.dumps(entity.announced("switch", "thing")).encode()
    finder.take("homeassistant/switch/x/config", told)
    finder.take("homeassistant/switch/x/config", b"")
    assert finder.found == ()
    for count in range(MESSAGE_LIMIT + 10):
        finder.take(f"homeassistant/switch/{count}/config", told)
    assert len(finder.found) == 1000
    assert finder.refused == 12


@pytest.fixture
def world(tmp_path) -> Iterator[tuple[Mosquitto, Path]]:
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto())
        for module, *options in (
            ("tests.world.devices", "--device=ceiling"),
            ("tests.world.tasmota", "--device=plug-1"),
            ("tests.world.entity", "--component=cover", "--name=blind"),
        ):
            line = [sys.executable, "-m", module, f"--port={broker.port}", *options]
            process = subprocess.Popen(line, cwd=ROOT)
            stack.callback(process.wait, 10)
            stack.callback(process.kill)
        yield broker, tmp_path


def discover(broker: Mosquitto, folder: Path) -> subprocess.CompletedProcess[str]:
    config = folder / "room.toml"
    config.write_text(
        f'[room]\nid = "aurora"\n[broker]\nport = {broker.port}\n'
        '[calendar]\nurl = "http://127.0.0.1/x"\n[plugins]\nenabled = []\n'
        f'[panel]\nenabled = false\n[policy]\nfile = "{ROOT}/config/policies/room.cedar"\n'
        f'[intents]\nfile = "{ROOT}/config/intents.toml"\n'
    )
    line = [str(BIN / "roomkeeper-edge"), "devices", "discover", str(config)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_lists_what_is_on_the_rooms_broker(world):
    broker, folder = world
    # A list of a large house: far larger than what a room reads otherwise.
    many = devices.announced([f"lamp {n}" for n in range(1500)])
    publish.single("zigbee/bridge/devices", json.dumps(many), 1, retain=True, port=broker.port)

    def names() -> set[str]:
        done = discover(broker, folder)
        assert done.returncode == 0, done.stderr
        return {row["name"] for row in tomllib.loads(done.stdout).get("actuators", [])}

    until(lambda: {"light.ceiling", "switch.plug-1", "blind.blind", "light.lamp-7"} <= names(), 60)


def test_without_a_broker_the_command_says_so(tmp_path):
    broker = Mosquitto()
    done = discover(broker, tmp_path)
    assert done.returncode == 1
    assert f"the room's broker at 127.0.0.1:{broker.port} does not answer" in done.stderr
