"""Between an actuator's value and a device's JSON. Pure.

brightness: per cent <-> 0..254 with state; state: a switch, as bool, number or on/off;
color_temp: mired; occupied_heating_setpoint: °C.
"""

import math

from edge.contracts.base import ContractError, Value
from edge.contracts.wire import DeviceField, DeviceMessage

FULL = 254
TOLERANCE: dict[DeviceField, float] = {
    "brightness": 2.0,
    "state": 0.0,
    "color_temp": 5.0,
    "occupied_heating_setpoint": 0.26,
}
"""What a device may round to and still have followed: valves know half degrees only."""


def to_device(field: DeviceField, value: Value) -> DeviceMessage:
    """Return the set message for a value; raise ContractError when it fits no such field."""
    if field == "state":
        return DeviceMessage(state="ON" if _switch(value) else "OFF")
    number = _number(field, value)
    if field == "brightness":
        level = max(0, min(FULL, round(number * FULL / 100)))
        return DeviceMessage(state="ON" if level else "OFF", brightness=level)
    if field == "color_temp":
        return DeviceMessage(color_temp=round(number))
    return DeviceMessage(occupied_heating_setpoint=number)


def level_of(field: DeviceField, message: DeviceMessage) -> float | None:
    """Return what the message says of the field, in the device's unit, None when nothing."""
    match field:
        case "state":
            return None if message.state is None else float(message.state == "ON")
        case "brightness":
            if message.state == "OFF":
                return 0.0
            return None if message.brightness is None else float(message.brightness)
        case "color_temp":
            return None if message.color_temp is None else float(message.color_temp)
        case "occupied_heating_setpoint":
            return message.occupied_heating_setpoint


def from_device(field: DeviceField, level: float) -> Value:
    """Return a device's level in the actuator's unit."""
    match field:
        case "state":
            return bool(level)
        case "brightness":
            return round(level * 100 / FULL)
        case "color_temp":
            return round(level)
        case "occupied_heating_setpoint":
            return level


def plausible(field: DeviceField, level: float) -> bool:
    """Whether a device can report this level at all."""
    high = {"brightness": 255.0, "color_temp": 1000.0, "occupied_heating_setpoint": 60.0}
    return math.isfinite(level) and 0 <= level <= high.get(field, 1.0)


def followed(field: DeviceField, wanted: DeviceMessage, level: float) -> bool:
    """Whether a reported level is what `wanted` asked for."""
    asked = level_of(field, wanted)
    return asked is not None and abs(asked - level) <= TOLERANCE[field]


def _switch(value: Value) -> bool:
    if isinstance(value, str):
        if value.lower() not in {"on", "off"}:
            raise ContractError(f"a switch takes on or off, not {value!r}")
        return value.lower() == "on"
    return bool(value)


def _number(field: DeviceField, value: Value) -> float:
    if isinstance(value, str) or not math.isfinite(value):
        raise ContractError(f"{field} takes a number, not {value!r}")
    return float(value)
