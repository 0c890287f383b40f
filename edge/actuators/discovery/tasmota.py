"""Tasmota's announcements: a relay, a light, a shutter for each output a device has. Pure."""

from collections.abc import Iterator

from edge.actuators.dialects import Wiring
from edge.actuators.dialects.reading import an_object
from edge.actuators.dialects.tasmota import FULL_TOPIC
from edge.actuators.discovery.found import Found, level, switch, text

FILTER = "tasmota/discovery/+/config"
RELAY, LIGHT, SHUTTER = 1, 2, 3
OUTPUT_LIMIT = 32
WITH_WHITE = (2, 5)
"""Kinds of light that mix warm and cold white."""


def devices(_topic: str, payload: bytes) -> Iterator[Found]:
    """Yield what a device lets be moved; raise ContractError when it announces nothing."""
    told = an_object(payload)
    device, base = text(told.get("t")), text(told.get("ft"))
    outputs = told.get("rl")
    if not device or device != told.get("t") or not isinstance(outputs, list):
        return
    if told.get("tp", ["cmnd", "stat", "tele"]) != ["cmnd", "stat", "tele"]:
        return
    usual = base.rstrip("/") in ("", FULL_TOPIC)
    yield from _outputs(told, device, "" if usual else base, outputs[:OUTPUT_LIMIT])


def _outputs(
    told: dict[str, object], device: str, base: str, outputs: list[object]
) -> Iterator[Found]:
    names = told.get("fn")
    names = names if isinstance(names, list) else []
    title = text(told.get("dn")) or device
    used = [number for number, kind in enumerate(outputs, 1) if kind in (RELAY, LIGHT, SHUTTER)]
    fan = told.get("if") == 1
    if fan:
        wiring = Wiring(device, "level", "tasmota", "FanSpeed", base, 0.0, 3.0)
        yield level(wiring, "ventilation", title)
    shutters = 0
    for number in used:
        own = text(names[number - 1]) if number <= len(names) else ""
        kind = outputs[number - 1]
        if kind == SHUTTER:
            shutters += 1
            if shutters % 2:
                key = f"ShutterPosition{(shutters + 1) // 2}"
                key = "" if key == "ShutterPosition1" else key
                yield level(Wiring(device, "position", "tasmota", key, base), "blind", own or title)
        elif kind == LIGHT:
            yield from _light(told.get("lt_st"), device, base, own or title)
        elif not fan or number == 1:
            key = f"POWER{number}" if len(used) > 1 else ""
            sort = "light" if fan else "switch"
            yield switch(Wiring(device, "state", "tasmota", key, base), sort, own or title)


def _light(kind: object, device: str, base: str, title: str) -> Iterator[Found]:
    yield level(Wiring(device, "brightness", "tasmota", "", base), "light", title)
    if kind in WITH_WHITE:
        wiring = Wiring(device, "color_temp", "tasmota", "", base)
        yield Found(wiring, "white", title, 153.0, 500.0, fallback=300)
