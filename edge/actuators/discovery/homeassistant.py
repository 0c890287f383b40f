"""What devices tell Home Assistant of themselves: a `config` message for each entity. Pure."""

from collections.abc import Iterator, Mapping
from typing import get_args

import msgspec

from edge.actuators.dialects import Wiring
from edge.actuators.dialects.reading import an_object
from edge.actuators.discovery.found import Found, level, number, setpoint, switch, text
from edge.contracts.base import ContractError
from edge.contracts.entity import Availability, Component, Entity, known_keys
from edge.contracts.wire import DeviceField

FILTERS = ("homeassistant/+/+/config", "homeassistant/+/+/+/config")
OWN = "roomkeeper_"
NATIVE = ("Zigbee2MQTT",)
"""Whose devices are found in their own dialect."""

WORDS = {
    "avty": "availability", "bri": "brightness", "clr": "color", "clsd": "closed",
    "cls": "close", "cmd": "command", "dev": "device", "ops": "options", "pct": "percentage",
    "pl": "payload", "pos": "position", "ret": "retain", "rng": "range", "scl": "scale",
    "spd": "speed", "stat": "state", "temp": "temperature", "tpl": "template", "t": "topic",
    "val": "value", "avail": "available", "o": "origin", "ids": "identifiers", "mdl": "model",
    "obj": "object",
}  # fmt: skip
EXCEPT = {"clr_temp": "color_temp", "min_temp": "min_temp", "max_temp": "max_temp"}
"""What stays `temp` when spelled out."""


def devices(topic: str, payload: bytes) -> Iterator[Found]:
    """Yield what an entity lets be moved; raise ContractError when it is none a driver knows."""
    parts = topic.split("/")
    component = parts[-3] if len(parts) == 4 else parts[-4]
    if component not in get_args(Component) or any(part.startswith(OWN) for part in parts):
        return
    told = spelled(an_object(payload))
    origin = told.get("origin")
    if isinstance(origin, dict) and origin.get("name") in NATIVE:
        return
    entity = _entity(component, told)
    title = text(told.get("name")) or text(told.get("object_id")) or parts[-2]
    device = told.get("device")
    named = text(device.get("name")) if isinstance(device, dict) else ""
    if named and named.lower() not in title.lower():
        title = f"{named} {title}"
    yield from _sides(entity, told, text(title) or "device")


def spelled(told: Mapping[str, object]) -> dict[str, object]:
    """Return a config message with its abbreviations spelled out and ~ filled in."""
    base = told.get("~")
    made = {_spelled(short): value for short, value in told.items() if short != "~"}
    if "availability" in made:
        rows = [row for row in _rows(made["availability"]) if isinstance(row, dict)]
        made["availability"] = [spelled({**row, "~": base}) for row in rows[:8]]
    if isinstance(base, str):
        for name, value in made.items():
            if name.endswith("topic") and isinstance(value, str):
                made[name] = _filled(base, value)
    return made


def _filled(base: str, topic: str) -> str:
    if topic.startswith("~"):
        return base + topic[1:]
    return topic[:-1] + base if topic.endswith("~") else topic


def _rows(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _spelled(short: str) -> str:
    for piece, word in EXCEPT.items():
        if short.startswith(piece):
            rest = short.removeprefix(piece)
            return word + "_".join(WORDS.get(part, part) for part in rest.split("_"))
    return "_".join(WORDS.get(part, part) for part in short.split("_"))


def _entity(component: str, told: Mapping[str, object]) -> Entity:
    known = {key: value for key, value in told.items() if key in known_keys()}
    rows = known.get("availability", [])
    fields = {field.name for field in msgspec.structs.fields(Availability)}
    known["availability"] = [
        {key: value for key, value in row.items() if key in fields}
        for row in (rows if isinstance(rows, list) else [])
    ]
    if component == "light" and known.get("schema") not in (None, "json", "default", "basic"):
        raise ContractError("a light with templates of its own")
    if component not in ("number",):
        known = {key: value for key, value in known.items() if key not in ("min", "max")}
    try:
        return msgspec.convert({**known, "component": component}, Entity)
    except msgspec.ValidationError as error:
        raise ContractError(f"what is no {component}: {str(error)[:100]}") from None


def _sides(entity: Entity, told: Mapping[str, object], title: str) -> Iterator[Found]:
    def wired(field: DeviceField) -> Wiring:
        return Wiring(title, field, "homeassistant", entity=entity)

    match entity.component:
        case "light":
            dims = entity.schema == "json" and told.get("brightness") is True
            if dims or entity.brightness_command_topic:
                yield level(wired("brightness"), "light", title)
            else:
                yield switch(wired("state"), "light", title)
        case "switch":
            yield switch(wired("state"), "switch", title)
        case "climate":
            field: DeviceField = "occupied_heating_setpoint"
            yield setpoint(wired(field), title, told.get("min_temp"), told.get("max_temp"))
        case "cover":
            yield level(wired("position"), "blind", title)
        case "fan" if entity.percentage_command_topic:
            yield level(wired("level"), "ventilation", title)
        case "fan":
            yield switch(wired("state"), "ventilation", title)
        case "number":
            low, high = number(entity.min, 1.0), number(entity.max, 100.0)
            yield Found(wired("level"), "number", title, low, high, fallback=low)
        case "select":
            names = tuple(name for name in entity.options if text(name) == name)
            if names and names == entity.options:
                found = Found(wired("option"), "select", title, values=names, fallback=names[0])
                yield found
