"""Between an actuator's value and a device's figures: per cent, numbers, switches, names. Pure."""

import math
from contextlib import suppress
from dataclasses import dataclass

from edge.contracts.base import ContractError, Value

TEXT_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Percent:
    """0 to 100 % of the device's range low..high (low may be above high: a blind's is).

    slack: per cent the device may be off and still have followed; slow: it is on its way for long.
    """

    low: float = 0.0
    high: float = 100.0
    whole: bool = True
    slack: float = 0.8
    slow: bool = False

    def __post_init__(self) -> None:
        if self.low == self.high:
            raise ContractError("what the device calls 0 % and 100 % is the same")

    def out(self, value: Value) -> float:
        """Return the device's figure; raise ContractError when the value is no number."""
        share = max(0.0, min(100.0, number(value)))
        figure = self.low + (self.high - self.low) * share / 100
        return round(figure) if self.whole else round(figure, 3)

    def back(self, raw: object) -> Value:
        """Return the per cent a figure stands for, unrounded; raise ContractError outside."""
        share = (_figure(raw) - self.low) / (self.high - self.low) * 100
        if not -1 <= share <= 101:
            raise ContractError(f"an impossible {str(raw)[:32]}")
        return max(0.0, min(100.0, share))

    def followed(self, wanted: Value, heard: Value) -> bool:
        """Whether `heard` is what `wanted` became on the device."""
        asked = self.back(self.out(wanted))
        return abs(float(asked) - float(heard)) <= self.slack

    def tidy(self, heard: Value) -> Value:
        """Return what people and plugins are told."""
        return round(float(heard))


@dataclass(frozen=True, slots=True)
class Number:
    """The device takes the room's own figures: °C, mired, degrees."""

    least: float
    most: float
    whole: bool = False
    slack: float = 0.0

    def out(self, value: Value) -> float:
        """Return the device's figure; a whole one without a point, which some cannot read."""
        figure = number(value)
        return round(figure) if self.whole or figure.is_integer() else figure

    def back(self, raw: object) -> Value:
        """Return the figure; raise ContractError for one no device can report."""
        figure = _figure(raw)
        if not self.least <= figure <= self.most:
            raise ContractError(f"an impossible {str(raw)[:32]}")
        return figure

    def followed(self, wanted: Value, heard: Value) -> bool:
        """Whether `heard` is what was wanted; devices round."""
        return abs(float(self.out(wanted)) - float(heard)) <= self.slack

    def tidy(self, heard: Value) -> Value:
        """Return what people and plugins are told."""
        return round(float(heard)) if self.whole else float(heard)


@dataclass(frozen=True, slots=True)
class Switch:
    """on and off, in the device's words."""

    on: str = "ON"
    off: str = "OFF"

    def out(self, value: Value) -> str:
        """Return the device's word; raise ContractError for what is neither on nor off."""
        return self.on if switched(value) else self.off

    def back(self, raw: object) -> Value:
        """Return "on" or "off"; raise ContractError for another word."""
        if raw is True or raw == self.on:
            return "on"
        if raw is False or raw == self.off:
            return "off"
        raise ContractError(f"an impossible {str(raw)[:32]!r}")

    def followed(self, wanted: Value, heard: Value) -> bool:
        """Whether both mean the same."""
        return switched(wanted) == switched(heard)

    def tidy(self, heard: Value) -> Value:
        """Return what people and plugins are told."""
        return heard


@dataclass(frozen=True, slots=True)
class Names:
    """One of the names that the device knows; none listed: any short one."""

    known: tuple[str, ...] = ()

    def out(self, value: Value) -> str:
        """Return the name; raise ContractError when it is none."""
        return self._name(value)

    def back(self, raw: object) -> Value:
        """Return the name; raise ContractError when it is none."""
        return self._name(raw)

    def _name(self, raw: object) -> str:
        name = raw if isinstance(raw, str) else ""
        known = name in self.known or not self.known
        if known and name.isprintable() and 0 < len(name) <= TEXT_LIMIT:
            return name
        raise ContractError(f"an impossible {str(raw)[:32]!r}")

    def followed(self, wanted: Value, heard: Value) -> bool:
        """Whether both are the same name."""
        return wanted == heard

    def tidy(self, heard: Value) -> Value:
        """Return what people and plugins are told."""
        return heard


Measure = Percent | Number | Switch | Names

MIRED = Number(50, 1000, whole=True, slack=5.0)
CELSIUS = Number(0, 60, slack=0.26)
"""Valves know half degrees only."""
HUE = Number(0, 360, whole=True, slack=3.0)
OWN_NUMBERS = Number(-1e6, 1e6, slack=0.01)


def level(low: float, high: float) -> Measure:
    """Return the measure of a plain number: scaled to low..high, or as it is when both are 0."""
    if low == high == 0:
        return OWN_NUMBERS
    whole = float(low).is_integer() and float(high).is_integer() and abs(high - low) >= 2
    return Percent(low, high, whole=whole, slack=1.0)


def switched(value: Value) -> bool:
    """Return what a switch is asked for; raise ContractError for what is neither on nor off."""
    if isinstance(value, str):
        if value.lower() not in {"on", "off"}:
            raise ContractError(f"a switch takes on or off, not {value[:32]!r}")
        return value.lower() == "on"
    return bool(value)


def number(value: Value) -> float:
    """Return the value as a number; raise ContractError when it is none."""
    if isinstance(value, bool | str) or not math.isfinite(value):
        raise ContractError(f"a level takes a number, not {str(value)[:32]!r}")
    return float(value)


def _figure(raw: object) -> float:
    """Return a device's figure; some send numbers as text."""
    if isinstance(raw, str) and len(raw) <= TEXT_LIMIT:
        with suppress(ValueError):
            raw = float(raw)
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        raise ContractError(f"no number but {str(raw)[:32]!r}")
    return float(raw)
