"""What was found, and how it is written down: one block of room.toml for each. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from edge.actuators.dialects import Wiring, channel
from edge.contracts.base import ContractError, Value

TEXT_LIMIT = 80
DISPLAYS = re.compile(r"display|screen|projector|beamer|monitor|\btv\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """One thing of a device that can be moved. sort: its class; title: what it calls itself."""

    wiring: Wiring
    sort: str
    title: str
    low: float = 0.0
    high: float = 0.0
    values: tuple[str, ...] = ()
    fallback: Value = 0


def level(wiring: Wiring, sort: str, title: str) -> Found:
    """Return something that is moved in per cent."""
    return Found(wiring, sort, title, 0.0, 100.0)


def switch(wiring: Wiring, sort: str, title: str) -> Found:
    """Return something that is on or off; a plug named after a display is its power."""
    if sort == "switch" and DISPLAYS.search(title):
        sort = "display"
    return Found(wiring, sort, title, values=("on", "off"), fallback="off")


def setpoint(wiring: Wiring, title: str, low: object, high: object) -> Found:
    """Return a thermostat, within what people can bear whatever the device could do."""
    least, most = max(5.0, number(low, 15.0)), min(35.0, number(high, 28.0))
    least, most = (least, most) if least < most else (15.0, 28.0)
    return Found(wiring, "climate", title, least, most, fallback=max(least, min(18.0, most)))


def number(value: object, other: float) -> float:
    """Return a finite number that a device announced, else `other`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return other
    return float(value) if abs(value) < 1e9 else other


def text(value: object) -> str:
    """Return a text that can be shown and written down, cut to its limit; "" when it is none."""
    if not isinstance(value, str) or not value.isprintable():
        return ""
    return value.strip()[:TEXT_LIMIT]


def movable(found: Iterable[Found]) -> Iterator[Found]:
    """Yield what a driver could really move."""
    for one in found:
        try:
            channel(one.wiring)
        except ContractError:
            continue
        if one.values or one.low < one.high:
            yield one


def blocks(found: Iterable[Found], taken: Iterable[str] = ()) -> Iterator[str]:
    """Yield a block of room.toml for each, with names that neither they nor `taken` share."""
    used = set(taken)
    for one in found:
        name = _name(one, used)
        used.add(name)
        yield "\n".join(_lines(one, name))


def _name(one: Found, used: set[str]) -> str:
    slug = re.sub(r"[^a-z0-9_-]+", "-", one.title.lower()).strip("-_")[:40] or "device"
    first = slug if one.wiring.field != "color_temp" else f"{slug}-white"
    name, count = f"{one.sort}.{first}", 2
    while name in used:
        name, count = f"{one.sort}.{first}-{count}", count + 1
    return name


def _lines(one: Found, name: str) -> Iterator[str]:
    wiring = one.wiring
    yield f"# {one.title}"
    yield "[[actuators]]"
    yield from _pair("name", name)
    yield from _pair("driver", "mqtt")
    yield from _pair("dialect", wiring.dialect)
    yield from _pair("device", wiring.device)
    yield from _pair("field", wiring.field)
    for key, value in (("key", wiring.key), ("base", wiring.base)):
        if value:
            yield from _pair(key, value)
    if wiring.low != wiring.high:
        yield from _pair("device_min", wiring.low)
        yield from _pair("device_max", wiring.high)
    if one.values:
        yield from _pair("values", list(one.values))
    else:
        yield from _pair("min", one.low)
        yield from _pair("max", one.high)
    yield from _pair("fallback", one.fallback)
    if wiring.entity is not None:
        yield "[actuators.entity]"
        for key, value in msgspec.to_builtins(wiring.entity).items():
            yield from _pair(key, value)


def _pair(key: str, value: object) -> Iterator[str]:
    """Yield `key = value` in TOML."""
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        rows = ", ".join(f"{{ {', '.join(_inline(row))} }}" for row in value)
        yield f"{key} = [{rows}]"
    else:
        yield f"{key} = {_toml(value)}"


def _inline(row: dict[str, object]) -> Iterator[str]:
    for key, value in row.items():
        yield f"{key} = {_toml(value)}"


def _toml(value: object) -> str:
    """JSON is TOML but for the one character that JSON leaves as it is."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
