"""What a dialect is: how one actuator of one device is spoken to, and understood, over MQTT."""

from dataclasses import dataclass
from typing import Literal, Protocol

from edge.actuators.dialects.measure import Measure
from edge.contracts.base import ContractError, Value
from edge.contracts.entity import Entity
from edge.contracts.wire import DeviceField

Dialect = Literal["zigbee2mqtt", "tasmota", "homeassistant"]


class DialectError(ContractError):
    """An actuator its dialect cannot move: `key` of its configuration, and what is `allowed`."""

    def __init__(self, key: str, allowed: str) -> None:
        super().__init__(f"{key}: allowed is {allowed}")
        self.key = key
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Wiring:
    """Which part of which device moves an actuator, as the configuration says it.

    key: the property of its JSON where the field's own name is not it; base: Zigbee2MQTT's base
    topic or Tasmota's FullTopic, "" for the usual one; low, high: what the device calls 0 and
    100 % (both 0: it takes the actuator's own numbers); entity: for the dialect homeassistant.
    """

    device: str
    field: DeviceField
    dialect: Dialect = "zigbee2mqtt"
    key: str = ""
    base: str = ""
    low: float = 0.0
    high: float = 0.0
    entity: Entity | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A message to a device."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message says: the actuator's value in the room's unit, whether the device is there."""

    value: Value | None = None
    online: bool | None = None


NOTHING = Heard()


class Channel(Protocol):
    """One actuator of one device. It may remember what it heard; it never waits, never sends."""

    @property
    def measure(self) -> Measure:
        """How the device's figures and the room's belong together."""
        ...

    @property
    def reports(self) -> bool:
        """Whether the device tells its state at all; one that does not is taken to follow."""
        ...

    @property
    def topics(self) -> tuple[str, ...]:
        """What to listen to; no wildcards."""
        ...

    @property
    def asks(self) -> tuple[Said, ...]:
        """What to say after each connection to be told the device's state."""
        ...

    def said(self, value: Value) -> tuple[Said, ...]:
        """Return what to say for a value; raise ContractError when it fits no such device."""
        ...

    def heard(self, topic: str, payload: bytes) -> Heard:
        """Return what a message says; raise ContractError with what is wrong with it."""
        ...


def topic(text: str, key: str) -> str:
    """Return `text` when it can be published to; raise DialectError naming `key`."""
    wrong = any(c in text for c in "+#\0") or text.startswith(("/", "$")) or text.endswith("/")
    if not text or wrong or len(text) > 256 or not text.isprintable():
        raise DialectError(key, "1 to 256 characters that make a topic: no + or #, no / at an end")
    return text
