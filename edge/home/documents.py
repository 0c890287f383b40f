"""documents(about): what Home Assistant is told once, a `config` message for each entity. Pure."""

from collections.abc import Iterator

import msgspec

from edge.contracts.gating import GateRule
from edge.home.about import AUTOMATION, RELEASE, About

Document = dict[str, object]
SWITCHED = {"on", "off"}
OWN_TOPICS = ("button", "climate", "cover")
"""Components without a state, or with one topic for each part of it."""
ICONS = {
    "blind": "mdi:blinds",
    "camera": "mdi:video",
    "climate": "mdi:thermostat",
    "display": "mdi:monitor",
    "light": "mdi:lightbulb",
    "microphone": "mdi:microphone",
    "ventilation": "mdi:fan",
}


def documents(about: About) -> dict[str, bytes]:
    """Return topic -> payload of every entity the room is."""
    made = {}
    for component, ident, document in (
        *_readings(about),
        *_automation(about),
        *_actuators(about),
    ):
        whole = {**_common(about, ident), **document}
        if component not in OWN_TOPICS:
            whole["state_topic"] = about.state
        made[f"{about.prefix}/{component}/{about.node}/{ident}/config"] = msgspec.json.encode(whole)
    return made


def _common(about: About, ident: str) -> Document:
    return {
        "unique_id": f"{about.node}_{ident}",
        "object_id": f"{about.room}_{ident}",
        "availability_topic": about.online,
        "device": {
            "identifiers": [about.node],
            "name": about.name,
            "manufacturer": "Roomkeeper",
            "model": "Meeting room",
            "sw_version": about.version,
            "suggested_area": about.name,
        },
        "origin": {"name": "Roomkeeper", "sw_version": about.version},
    }


def _readings(about: About) -> Iterator[tuple[str, str, Document]]:
    occupied = _on_off("value_json.occupied")
    yield "binary_sensor", "occupancy", {
        "name": "Occupancy", "device_class": "occupancy", "value_template": occupied,
    }  # fmt: skip
    yield "sensor", "people", _sensor("People", "people", "people", icon="mdi:account-group")
    yield "sensor", "temperature", _sensor("Temperature", "temperature", "°C", "temperature")
    yield "sensor", "co2", _sensor("CO2", "co2", "ppm", "carbon_dioxide")
    yield "sensor", "noise", _sensor("Noise", "noise", "dBFS", icon="mdi:volume-high")
    yield "sensor", "meeting", {
        "name": "Meeting", "icon": "mdi:calendar-account", "device_class": "enum",
        "options": ["free", "open", "active"], "value_template": "{{ value_json.meeting }}",
        "json_attributes_topic": about.state,
        "json_attributes_template": "{{ {'title': value_json.title} | tojson }}",
    }  # fmt: skip
    yield (
        "sensor",
        "next_meeting",
        _sensor("Next meeting", "next_min", "min", icon="mdi:calendar-clock"),
    )
    yield "sensor", "mode", {
        "name": "Mode", "icon": "mdi:state-machine", "entity_category": "diagnostic",
        "value_template": "{{ value_json.mode }}",
    }  # fmt: skip


def _on_off(value: str) -> str:
    return f"{{{{ None if {value} is none else 'ON' if {value} else 'OFF' }}}}"


def _automation(about: About) -> Iterator[tuple[str, str, Document]]:
    yield "switch", "automation", {
        "name": "Automation", "icon": "mdi:robot", "command_topic": about.wish(AUTOMATION),
        "payload_on": "on", "payload_off": "off",
        "value_template": "{{ 'off' if value_json.paused else 'on' }}",
    }  # fmt: skip
    yield "button", "release", {
        "name": "Back to automatic", "icon": "mdi:hand-back-right-off",
        "command_topic": about.wish(RELEASE), "payload_press": "on",
    }  # fmt: skip


def _sensor(name: str, key: str, unit: str, kind: str = "", icon: str = "") -> Document:
    document: Document = {
        "name": name,
        "unit_of_measurement": unit,
        "state_class": "measurement",
        "value_template": f"{{{{ value_json.{key} }}}}",
    }
    return document | ({"device_class": kind} if kind else {}) | ({"icon": icon} if icon else {})


def _actuators(about: About) -> Iterator[tuple[str, str, Document]]:
    for rule in about.rules:
        sort = rule.actuator.partition(".")[0]
        component, document = _actuator(about, sort, rule)
        document["name"] = name(rule.actuator)
        if sort in ICONS:
            document["icon"] = ICONS[sort]
        yield component, rule.actuator.replace(".", "__"), document


def name(actuator: str) -> str:
    """Return an actuator's name for people."""
    sort, _, rest = actuator.partition(".")
    words = [sort, *([] if rest in ("", "main") else [rest])]
    return " ".join(words).replace("_", " ").replace("-", " ").replace(".", " ").capitalize()


def _actuator(about: About, sort: str, rule: GateRule) -> tuple[str, Document]:
    asks = about.wish(rule.actuator)
    value = f"value_json.actuators['{rule.actuator}']"
    if rule.values:
        return _choice(rule, asks, value)
    if sort == "light":
        return "light", _light(about, rule, asks, value)
    if sort == "climate":
        return "climate", _climate(about, rule, asks, value)
    if sort == "blind" and (rule.low, rule.high) == (0, 100):
        return "cover", _cover(about, asks, value)
    return "number", {
        "command_topic": asks, "value_template": f"{{{{ {value} }}}}", "mode": "slider",
        "min": rule.low, "max": rule.high, "step": 1 if rule.high - rule.low >= 10 else 0.1,
    }  # fmt: skip


def _choice(rule: GateRule, asks: str, value: str) -> tuple[str, Document]:
    if set(rule.values) == SWITCHED:
        words: Document = {"payload_on": "on", "payload_off": "off"}
        return "switch", {"command_topic": asks, "value_template": f"{{{{ {value} }}}}", **words}
    return "select", {
        "command_topic": asks, "value_template": f"{{{{ {value} }}}}",
        "options": list(rule.values),
    }  # fmt: skip


def _light(about: About, rule: GateRule, asks: str, value: str) -> Document:
    # A brightness of none and one of 0 are both left out: the state says off.
    return {
        "command_topic": asks,
        "state_value_template": _on_off(value),
        "brightness_command_topic": asks,
        "brightness_state_topic": about.state,
        "brightness_value_template": f"{{{{ {value} | default('', true) }}}}",
        "brightness_scale": max(1, round(rule.high)),
        "on_command_type": "brightness",
    }


def _climate(about: About, rule: GateRule, asks: str, value: str) -> Document:
    return {
        "temperature_command_topic": asks,
        "temperature_state_topic": about.state,
        "temperature_state_template": f"{{{{ {value} }}}}",
        "current_temperature_topic": about.state,
        "current_temperature_template": "{{ value_json.temperature }}",
        "modes": ["auto"],
        "mode_state_topic": about.state,
        "mode_state_template": "auto",
        "min_temp": rule.low,
        "max_temp": rule.high,
        "temp_step": 0.5,
        "temperature_unit": "C",
    }


def _cover(about: About, asks: str, value: str) -> Document:
    # Home Assistant counts how far a blind is open, the room how far it is closed.
    open_share = f"{{{{ '' if {value} is none else 100 - ({value} | round(0) | int) }}}}"
    return {
        "command_topic": asks,
        "payload_open": "0",
        "payload_close": "100",
        "payload_stop": None,
        "position_topic": about.state,
        "position_template": open_share,
        "set_position_topic": asks,
        "set_position_template": "{{ 100 - position }}",
        "device_class": "blind",
    }
