"""Each dialect speaks its devices' words, understands them, and takes nothing on trust."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.actuators.dialects import Channel, DialectError, Wiring, channel
from edge.actuators.dialects.reading import fill, path_of
from edge.contracts.base import ContractError, Value
from edge.contracts.entity import Availability, Entity

LAMP = Entity(
    "light",
    command_topic="lamp/set",
    state_topic="lamp",
    brightness_command_topic="lamp/level/set",
    brightness_state_topic="lamp/level",
    color_temp_command_topic="lamp/ct/set",
    color_temp_state_topic="lamp/ct",
    availability_topic="lamp/there",
)
JSON_LAMP = Entity("light", schema="json", command_topic="j/set", state_topic="j")
BLIND = Entity(
    "cover", set_position_topic="b/set", position_topic="b", position_template="{{value_json.pos}}"
)
PLAIN_BLIND = Entity("cover", command_topic="p/set", state_topic="p")
FAN = Entity(
    "fan", command_topic="f/set", state_topic="f", percentage_command_topic="f/p/set",
    percentage_state_topic="f/p", speed_range_max=3.0,
)  # fmt: skip
CLIMATE = Entity(
    "climate", temperature_command_topic="c/set", temperature_state_topic="c",
    temperature_state_template="{{ value_json['target'] | float }}",
    temperature_command_template='{"target": {{ value }} }',
)  # fmt: skip
NUMBER = Entity("number", command_topic="n/set", state_topic="n", min=0.0, max=60.0)
SELECT = Entity("select", command_topic="s/set", state_topic="s", options=("HDMI 1", "HDMI 2"))
SWITCH = Entity(
    "switch", command_topic="w/set", state_topic="w", payload_on="1", payload_off="0",
    state_on="yes", state_off="no",
)  # fmt: skip


def ha(field, entity) -> Wiring:
    return Wiring("it", field, "homeassistant", entity=entity)


SAYS: list[tuple[Wiring, Value, list[tuple[str, object]]]] = [
    (Wiring("lamp", "brightness"), 80,
     [("zigbee2mqtt/lamp/set", {"state": "ON", "brightness": 203})]),
    (Wiring("lamp", "brightness"), 0,
     [("zigbee2mqtt/lamp/set", {"state": "OFF", "brightness": 0})]),
    (Wiring("lamp", "brightness", key="brightness_l2"), 100,
     [("zigbee2mqtt/lamp/set", {"state_l2": "ON", "brightness_l2": 254})]),
    (Wiring("plug", "state", key="state_left"), "on",
     [("zigbee2mqtt/plug/set", {"state_left": "ON"})]),
    (Wiring("floor 2/lamp", "color_temp", base="zigbee"), 250,
     [("zigbee/floor 2/lamp/set", {"color_temp": 250})]),
    (Wiring("valve", "occupied_heating_setpoint"), 21.5,
     [("zigbee2mqtt/valve/set", {"occupied_heating_setpoint": 21.5})]),
    (Wiring("blind", "position"), 30, [("zigbee2mqtt/blind/set", {"position": 70})]),
    (Wiring("lamp", "hue"), 120, [("zigbee2mqtt/lamp/set", {"color": {"hue": 120}})]),
    (Wiring("fan", "option", key="fan_mode"), "low",
     [("zigbee2mqtt/fan/set", {"fan_mode": "low"})]),
    (Wiring("fan", "level", key="fan_speed", low=0, high=9), 50,
     [("zigbee2mqtt/fan/set", {"fan_speed": 4})]),
    (Wiring("plug", "state", "tasmota"), True, [("cmnd/plug/POWER", "ON")]),
    (Wiring("plug", "state", "tasmota", "POWER2"), "off", [("cmnd/plug/POWER2", "OFF")]),
    (Wiring("lamp", "brightness", "tasmota"), 42.4, [("cmnd/lamp/Dimmer", 42)]),
    (Wiring("lamp", "color_temp", "tasmota"), 300, [("cmnd/lamp/CT", 300)]),
    (Wiring("lamp", "saturation", "tasmota"), 70, [("cmnd/lamp/HSBColor2", 70)]),
    (Wiring("fan", "level", "tasmota", "FanSpeed", low=0, high=3), 100, [("cmnd/fan/FanSpeed", 3)]),
    (Wiring("blind", "position", "tasmota", base="%topic%/%prefix%/"), 100,
     [("blind/cmnd/ShutterPosition1", 0)]),
    (ha("brightness", LAMP), 50, [("lamp/level/set", 128), ("lamp/set", "ON")]),
    (ha("brightness", LAMP), 0, [("lamp/set", "OFF")]),
    (ha("state", LAMP), "on", [("lamp/set", "ON")]),
    (ha("color_temp", LAMP), 200, [("lamp/ct/set", 200)]),
    (ha("brightness", JSON_LAMP), 100, [("j/set", {"state": "ON", "brightness": 255})]),
    (ha("brightness", JSON_LAMP), 0, [("j/set", {"state": "OFF"})]),
    (ha("state", SWITCH), "off", [("w/set", 0)]),
    (ha("occupied_heating_setpoint", CLIMATE), 21.5, [("c/set", {"target": 21.5})]),
    (ha("position", BLIND), 0, [("b/set", 100)]),
    (ha("position", PLAIN_BLIND), 100, [("p/set", "CLOSE")]),
    (ha("level", FAN), 100, [("f/p/set", 3), ("f/set", "ON")]),
    (ha("level", FAN), 0, [("f/set", "OFF")]),
    (ha("level", NUMBER), 12, [("n/set", 12)]),
    (ha("option", SELECT), "HDMI 2", [("s/set", "HDMI 2")]),
]  # fmt: skip


def plain(payload: bytes) -> object:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode()


@pytest.mark.parametrize(("wiring", "value", "messages"), SAYS)
def test_a_value_is_said_in_the_devices_words(wiring, value, messages):
    assert [(m.topic, plain(m.payload)) for m in channel(wiring).said(value)] == messages


HEARS: list[tuple[Wiring, str, object, Value | None]] = [
    (Wiring("lamp", "brightness"), "zigbee2mqtt/lamp", {"state": "ON", "brightness": 127}, 50),
    (Wiring("lamp", "brightness"), "zigbee2mqtt/lamp", {"state": "OFF", "brightness": 254}, 0),
    (Wiring("lamp", "brightness"), "zigbee2mqtt/lamp", {"state": "ON"}, None),
    (Wiring("blind", "position"), "zigbee2mqtt/blind", {"position": 70}, 30),
    (Wiring("lamp", "saturation"), "zigbee2mqtt/lamp", {"color": {"saturation": 70}}, 70),
    (Wiring("plug", "state", "tasmota"), "stat/plug/RESULT", {"POWER": "ON"}, "on"),
    (Wiring("plug", "state", "tasmota"), "tele/plug/STATE",
     {"POWER1": "OFF", "POWER2": "ON"}, "off"),
    (Wiring("plug", "state", "tasmota", "POWER2"), "tele/plug/STATE", {"POWER2": "ON"}, "on"),
    (Wiring("lamp", "brightness", "tasmota"), "stat/lamp/RESULT",
     {"POWER": "ON", "Dimmer": 42}, 42),
    (Wiring("lamp", "brightness", "tasmota"), "tele/lamp/STATE", {"POWER": "OFF", "Dimmer": 42}, 0),
    (Wiring("lamp", "hue", "tasmota"), "stat/lamp/RESULT", {"HSBColor": "120,70,42"}, 120),
    (Wiring("lamp", "color_temp", "tasmota"), "stat/lamp/RESULT", {"Command": "Unknown"}, None),
    (Wiring("b", "position", "tasmota"), "tele/b/SENSOR", {"Shutter1": {"Position": 100}}, 0),
    (Wiring("f", "level", "tasmota", "FanSpeed", low=0, high=3), "stat/f/RESULT",
     {"FanSpeed": 3}, 100),
    (ha("brightness", JSON_LAMP), "j", {"state": "ON", "brightness": 51}, 20),
    (ha("occupied_heating_setpoint", CLIMATE), "c", {"target": "21.5"}, 21.5),
    (ha("position", BLIND), "b", {"pos": 100}, 0),
    (ha("position", PLAIN_BLIND), "p", "closed", 100),
    (ha("position", BLIND), "b", {"other": 1}, None),
    (ha("state", SWITCH), "w", "yes", "on"),
    (ha("level", NUMBER), "n", 33, 33),
    (ha("option", SELECT), "s", "HDMI 1", "HDMI 1"),
]  # fmt: skip


def encoded(payload: object) -> bytes:
    return payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()


@pytest.mark.parametrize(("wiring", "topic", "payload", "value"), HEARS)
def test_a_devices_words_are_a_value_in_the_rooms_unit(wiring, topic, payload, value):
    way = channel(wiring)
    assert topic in way.topics
    heard = way.heard(topic, encoded(payload))
    assert (None if heard.value is None else way.measure.tidy(heard.value)) == value


def heard(way: Channel, topic: str, text: str) -> Value | None:
    return way.heard(topic, text.encode()).value


def test_a_lamp_that_is_off_is_at_nought_in_whichever_order_its_topics_come():
    way = channel(ha("brightness", LAMP))
    assert heard(way, "lamp/level", "255") is None
    assert heard(way, "lamp", "OFF") == 0
    assert heard(way, "lamp/level", "128") == 0
    assert heard(way, "lamp", "ON") == pytest.approx(50.2, abs=0.1)


@pytest.mark.parametrize(
    ("wiring", "topic", "here", "away"),
    [
        (Wiring("lamp", "state"), "zigbee2mqtt/lamp/availability", '{"state":"online"}', "offline"),
        (Wiring("lamp", "state"), "zigbee2mqtt/bridge/state", "online", '{"state":"offline"}'),
        (Wiring("lamp", "state", "tasmota"), "tele/lamp/LWT", "Online", "Offline"),
        (ha("state", LAMP), "lamp/there", "online", "offline"),
    ],
)
def test_a_device_says_whether_it_is_there(wiring, topic, here, away):
    way = channel(wiring)
    assert topic in way.topics
    assert way.heard(topic, here.encode()).online is True
    assert way.heard(topic, away.encode()).online is False
    with pytest.raises(ContractError):
        way.heard(topic, b"perhaps")


def test_availability_with_words_and_a_template_of_its_own():
    presence = Availability("x/s", "1", "0", "{{ value_json.up }}")
    way = channel(ha("state", Entity("switch", command_topic="x/set", availability=(presence,))))
    assert way.heard("x/s", b'{"up":"1"}').online is True
    assert not way.reports


ALL = [wiring for wiring, _, _ in SAYS]
NONSENSE = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "state",
                        "brightness",
                        "color",
                        "POWER",
                        "Dimmer",
                        "Shutter1",
                        "HSBColor",
                        "pos",
                    ]
                ),
                inner,
                max_size=3,
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
)


@given(st.sampled_from(ALL), st.lists(NONSENSE, max_size=5))
def test_whatever_is_sent_it_is_a_plausible_value_or_a_named_mistake(wiring, payloads):
    way = channel(wiring)
    for payload in payloads:
        for topic in way.topics:
            try:
                value = way.heard(topic, payload).value
            except ContractError:
                continue
            if value is not None and not isinstance(value, str):
                assert 0 <= value <= 1000 or wiring.field == "level"


@pytest.mark.parametrize("payload", [b"[" * 100_000, b"\xff", b'{"brightness": NaN}', b"x" * 9000])
def test_hostile_payloads_are_refused(payload):
    for wiring in ALL:
        way = channel(wiring)
        with pytest.raises(ContractError):
            way.heard(way.topics[0], payload)


@given(
    st.sampled_from([w for w, v, _ in SAYS if not isinstance(v, str | bool)]), st.integers(0, 60)
)
def test_a_device_that_repeats_what_it_was_told_has_followed(wiring, value):
    measure = channel(wiring).measure
    try:
        raw = measure.out(value)
        back = measure.back(raw)
    except ContractError:
        return
    assert measure.followed(value, back)


def test_devices_may_round_but_not_stray():
    valve = channel(Wiring("v", "occupied_heating_setpoint")).measure
    assert valve.followed(21.3, 21.5)
    assert not valve.followed(21.3, 22.0)
    blind = channel(Wiring("b", "position")).measure
    assert blind.followed(50, 48.0)
    assert not blind.followed(50, 40.0)


@pytest.mark.parametrize(
    ("wiring", "value"),
    [
        (Wiring("l", "brightness"), "bright"),
        (Wiring("l", "brightness"), float("nan")),
        (Wiring("l", "brightness"), True),
        (Wiring("l", "state"), "dim"),
        (Wiring("l", "option", key="mode"), 3),
        (Wiring("l", "option", key="mode"), "x\n"),
        (ha("position", PLAIN_BLIND), 50),
    ],
)
def test_a_value_that_fits_no_such_device_is_refused(wiring, value):
    with pytest.raises(ContractError):
        channel(wiring).said(value)


@pytest.mark.parametrize(
    ("wiring", "key"),
    [
        (Wiring("", "state"), "device"),
        (Wiring("a/#", "state"), "device"),
        (Wiring("a", "state", base="$SYS"), "base"),
        (Wiring("a", "option"), "key"),
        (Wiring("a", "occupied_heating_setpoint", "tasmota"), "field"),
        (Wiring("a", "state", "tasmota", base="home/%topic%"), "base"),
        (Wiring("a", "state", "homeassistant"), "entity"),
        (ha("brightness", SWITCH), "field"),
        (ha("state", Entity("switch")), "entity.command_topic"),
        (ha("position", Entity("cover")), "entity.set_position_topic"),
    ],
)
def test_a_wiring_that_cannot_be_names_the_key(wiring, key):
    with pytest.raises(DialectError) as caught:
        channel(wiring)
    assert caught.value.key == key


def test_only_templates_that_are_paths_are_understood():
    assert path_of("") is None
    assert path_of("{{ value }}") is None
    assert path_of("{{ value_json.a['b'][0].c | int }}") == ("a", "b", 0, "c")
    assert fill("{{ value | int }}", "7") == "7"
    for bad in (
        "{{ value.x }}",
        "{% if 1 %}{% endif %}",
        "{{ states('x') }}",
        "{{ value_json.a + 1 }}",
    ):
        with pytest.raises(ContractError):
            path_of(bad)
        with pytest.raises(ContractError):
            fill(bad, "7")
