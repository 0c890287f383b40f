"""What must fit between an actuator and the device that its driver moves."""

import re
from collections.abc import Iterator

from edge.config_schema import ActuatorSection, RoomConfig

Keys = tuple[str | int, ...]

PARTS = {
    "visca": ("preset", "shutter"),
    "mixer": ("gain", "mute"),
    "cec": ("power", "input"),
}
"""Driver -> what of a device it moves. The driver bacnet moves objects."""
OBJECTS = (
    "analog-value", "analog-output", "binary-value", "binary-output",
    "multi-state-value", "multi-state-output",
)  # fmt: skip
_OBJECT = re.compile(rf"\A({'|'.join(OBJECTS)}),(\d{{1,7}})\Z")
SWITCH = ("on", "off")
SHUTTER = ("open", "closed")


def device_mistakes(config: RoomConfig) -> Iterator[tuple[Keys, str]]:
    """Yield (keys, what is allowed) for actuators and devices that do not fit."""
    yield from _tables(config)
    for number, actuator in enumerate(config.actuators):
        if actuator.driver in ("mqtt", "vm"):
            if actuator.part:
                yield ("actuators", number, "part"), f"nothing for the driver {actuator.driver}"
            continue
        for key, allowed in (*_device(actuator, config), *_part(actuator, config)):
            yield ("actuators", number, key), allowed
    displays = [n for n, actuator in enumerate(config.actuators) if actuator.driver == "cec"]
    for number in displays[1:]:
        first = config.actuators[displays[0]].device
        if config.actuators[number].device != first:
            yield ("actuators", number, "device"), f"{first!r}: there is one display on the cable"
    for first_, number in _same_part(config):
        allowed = f"a part that {config.actuators[first_].name} does not move already"
        yield ("actuators", number, "part"), allowed


def _tables(config: RoomConfig) -> Iterator[tuple[Keys, str]]:
    names: list[str] = [a.device for a in config.actuators if a.driver == "mqtt"]
    for number, camera in enumerate(config.visca):
        if camera.name in names:
            yield ("visca", number, "name"), "a name that no other device has"
        names.append(camera.name)
        if not camera.presets:
            yield ("visca", number, "presets"), "at least one name and its number"
        if camera.privacy is not None and camera.privacy in camera.presets.values():
            yield ("visca", number, "privacy"), "a preset that no name stands for"
    for number, device in enumerate(config.bacnet.devices):
        if device.name in names:
            yield ("bacnet", "devices", number, "name"), "a name that no other device has"
        names.append(device.name)
        if bool(device.address) == (device.instance is not None):
            yield ("bacnet", "devices", number, "address"), "either address or instance"


def _device(actuator: ActuatorSection, config: RoomConfig) -> Iterator[tuple[str, str]]:
    if actuator.driver == "visca":
        known = [camera.name for camera in config.visca]
        if actuator.device not in known:
            yield "device", f"the name of a [[visca]]: {', '.join(known) or 'there is none'}"
    elif actuator.driver == "bacnet":
        known = [device.name for device in config.bacnet.devices]
        if actuator.device not in known:
            yield (
                "device",
                f"the name of a [[bacnet.devices]]: {', '.join(known) or 'there is none'}",
            )
        elif not config.bacnet.address:
            yield "driver", 'bacnet with [bacnet] address = "ADDRESS/PREFIX" of this appliance'
    elif not actuator.device:
        yield (
            "device",
            {
                "mixer": '"default", or the name of a source (pactl list short sources)',
                "cec": "a name for the display",
            }[actuator.driver],
        )


def _part(actuator: ActuatorSection, config: RoomConfig) -> Iterator[tuple[str, str]]:
    if actuator.driver == "bacnet":
        yield from _object(actuator)
        return
    parts = PARTS[actuator.driver]
    if actuator.part not in parts:
        yield "part", f"one of {', '.join(parts)}"
        return
    if actuator.part == "gain":
        if not (actuator.max > actuator.min >= 0 and actuator.max <= 150):
            yield "max", "min and max from 0 to 150 per cent"
        return
    allowed = _names(actuator, config)
    unknown = [value for value in actuator.values if value not in allowed]
    if not actuator.values or unknown:
        yield "values", f"some of {', '.join(allowed) or 'none: the device has no names yet'}"


def _names(actuator: ActuatorSection, config: RoomConfig) -> tuple[str, ...]:
    match actuator.part:
        case "preset":
            return tuple(n for c in config.visca if c.name == actuator.device for n in c.presets)
        case "input":
            return tuple(config.cec.inputs)
        case "shutter":
            return SHUTTER
        case _:
            return SWITCH


def _object(actuator: ActuatorSection) -> Iterator[tuple[str, str]]:
    found = _OBJECT.match(actuator.part)
    if found is None:
        yield "part", f"an object such as analog-value,1; one of {', '.join(OBJECTS)}"
    elif found[1].startswith("analog"):
        if actuator.values:
            yield "values", "min and max for an analog object"
    elif found[1].startswith("binary"):
        if set(actuator.values) != set(SWITCH):
            yield "values", '["on", "off"] for a binary object'
    elif not actuator.values:
        yield "values", "the names of the states 1, 2 and so on, in this order"


def _same_part(config: RoomConfig) -> Iterator[tuple[int, int]]:
    seen: dict[tuple[str, str, str], int] = {}
    for number, actuator in enumerate(config.actuators):
        if actuator.driver in ("mqtt", "vm"):
            continue
        key = (actuator.driver, actuator.device, actuator.part)
        if key in seen:
            yield seen[key], number
        seen.setdefault(key, number)
