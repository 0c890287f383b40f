"""Messages between the room, its devices and the service."""

from typing import Literal

import msgspec

from edge.contracts.base import Message, StrictMessage, Value

MachinePhase = Literal[
    "wanted", "creating", "booting", "ready", "ending", "gone", "failed", "refused"
]


class MachineReport(Message, frozen=True, omit_defaults=True):
    """One machine as the service sees it. Times: wall seconds. `address`: host:port once ready.

    expected: when one in the making is likely to be ready, 0: not known.
    When refused for want of room: next_start, an instant at which the meeting could have it (0:
    none found); smaller: a template that fits ("": none).
    """

    key: str
    meeting: str
    template: str
    phase: MachinePhase
    at: float
    address: str = ""
    until: float = 0.0
    detail: str = ""
    next_start: float = 0.0
    smaller: str = ""
    expected: float = 0.0


class MachinesMessage(Message, frozen=True, omit_defaults=True):
    """Service to room, retained: every machine of the room."""

    room: str
    at: float
    machines: tuple[MachineReport, ...] = ()


class WantedMachine(StrictMessage, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A machine one meeting wants. `end` is the latest the room wants it; no grace included.

    lead_s: begun at least this long before the start, longer if its boot takes longer. owner: a
    pseudonym of the organiser, the same in every room; "" when unknown. code: the seal of its
    connect code while one is good (edge.contracts.codes), until code_until.
    """

    key: str
    meeting: str
    template: str
    start: float
    end: float
    title: str = ""
    lead_s: float = 0.0
    owner: str = ""
    code: str = ""
    code_until: float = 0.0


class WantedMessage(StrictMessage, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Room to service, retained: everything the room wants for the next 36 h, not a change of it.

    version rises with each snapshot of the room; an older one is ignored.
    """

    room: str
    version: int
    at: float
    machines: tuple[WantedMachine, ...] = ()


class EventMessage(Message, frozen=True, kw_only=True, omit_defaults=False):
    """Room to service, CloudEvents 1.0 JSON: one row of `journal`, numbered without gaps."""

    id: str
    source: str
    type: str
    time: str
    sequence: int
    data: dict[str, object]
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    traceparent: str = ""
    journal: str = ""


class AckMessage(Message, frozen=True, omit_defaults=True):
    """Service to room, retained: the highest sequence committed without a gap below it.

    journal: whose sequence it is; a room that lost its journal counts from 1 again in another.
    """

    room: str
    sequence: int
    journal: str = ""


class PresenceMessage(Message, frozen=True, omit_defaults=True):
    """Retained, with a last will: whether a room or the service is there."""

    name: str
    online: bool
    at: float = 0.0
    version: str = ""


class NodeMessage(Message, frozen=True, omit_defaults=True):
    """Sensor board to room: what it measured, null where it could not. Units: QUANTITY_RANGE.

    window, door: true while any of those it watches is open.
    """

    temperature: float | None = None
    humidity: float | None = None
    co2: float | None = None
    illuminance: float | None = None
    occupancy: bool | None = None
    window: bool | None = None
    door: bool | None = None


class HomeMessage(Message, frozen=True, kw_only=True, omit_defaults=False):
    """Room to Home Assistant, retained: everything its entities show; null: not known.

    temperature: °C; co2: ppm; noise: dBFS; meeting: free, open (check-in) or active; next_min:
    minutes to the next start; mode: the fallbacks in force; paused: automation is; actuators:
    in their own unit.
    """

    occupied: bool | None = None
    people: int | None = None
    temperature: float | None = None
    co2: float | None = None
    noise: float | None = None
    meeting: str = "free"
    title: str = ""
    next_min: int | None = None
    mode: str = "normal"
    paused: bool = False
    actuators: dict[str, Value | None] = msgspec.field(default_factory=dict)


class DeviceMessage(Message, frozen=True, omit_defaults=True):
    """A device's JSON state or set message, as Zigbee2MQTT and Home Assistant write it."""

    state: Literal["ON", "OFF"] | None = None
    brightness: int | None = None
    color_temp: int | None = None
    occupied_heating_setpoint: float | None = None
    local_temperature: float | None = None
    system_mode: Literal["off", "heat", "cool", "auto"] | None = None


DeviceField = Literal[
    "brightness",
    "state",
    "color_temp",
    "occupied_heating_setpoint",
    "position",
    "level",
    "option",
    "hue",
    "saturation",
]
"""What of a device moves: the four Zigbee2MQTT calls so, a blind, any number, any name, a colour.

In the room's unit: brightness, position (0 open, 100 closed), saturation and a scaled level in
per cent, color_temp in mired, occupied_heating_setpoint in °C, hue in degrees, state on or off.
"""


class DeviceValue(Message, frozen=True, omit_defaults=True):
    """An actuator's value and the field of the device's JSON that carries it."""

    field: DeviceField
    value: Value
