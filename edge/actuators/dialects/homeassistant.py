"""MQTT entities as Home Assistant's documents describe them: topics, payloads and templates."""

from dataclasses import dataclass

from edge.actuators.dialects.channel import NOTHING, DialectError, Heard, Said, Wiring, topic
from edge.actuators.dialects.measure import (
    CELSIUS,
    MIRED,
    Measure,
    Names,
    Number,
    Percent,
    Switch,
    level,
)
from edge.actuators.dialects.reading import Path, an_object, as_json, at, fill, path_of
from edge.contracts.base import ContractError, Value
from edge.contracts.entity import Availability, Entity
from edge.contracts.wire import DeviceField

FITS: dict[str, tuple[DeviceField, ...]] = {
    "light": ("brightness", "state", "color_temp"),
    "switch": ("state",),
    "climate": ("occupied_heating_setpoint",),
    "cover": ("position",),
    "fan": ("level", "state"),
    "number": ("level",),
    "select": ("option",),
}
WAYS: dict[tuple[str, DeviceField], str] = {
    ("light", "brightness"): "brightness",
    ("light", "color_temp"): "color_temp",
    ("climate", "occupied_heating_setpoint"): "temperature",
    ("cover", "position"): "position",
    ("fan", "level"): "percentage",
}
"""The beginning of the keys that carry a field; "" for the plain command and state topics."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where a figure goes, in which form, and where it comes back; "" and None: nowhere."""

    command: str
    template: str
    state: str
    path: Path | None


class HomeAssistant:
    """One side of one entity. Light and fan tell switch and level apart, so it remembers both."""

    def __init__(self, wiring: Wiring) -> None:
        entity = wiring.entity
        if entity is None:
            raise DialectError("entity", "a table of what the device's config message says")
        if wiring.field not in FITS[entity.component]:
            fits = ", ".join(FITS[entity.component])
            raise DialectError("field", f"{fits} for the component {entity.component}")
        self._entity = entity
        self._json = entity.component == "light" and entity.schema == "json"
        self._field = wiring.field
        self.measure = _measure(wiring, entity)
        self._way = _way(entity, wiring.field, self._json)
        self._word = Switch(
            entity.state_on or entity.payload_on, entity.state_off or entity.payload_off
        )
        self._switch = _switch_way(entity) if _switched(entity, wiring.field) else None
        self._on: bool | None = None
        self._level: Value | None = None
        self._presences = {topic(p.topic, "availability"): p for p in entity.presences}
        self._paths = {p.topic: path_of(p.value_template) for p in entity.presences}
        self.asks: tuple[Said, ...] = ()
        states = [self._way.state, self._switch.state if self._switch else ""]
        told = dict.fromkeys(state for state in states if state)
        self.topics = (*told, *self._presences)
        self.reports = bool(told)

    def said(self, value: Value) -> tuple[Said, ...]:
        """Return the messages that set a value: a level of 0 is the switch's off."""
        figure = self.measure.out(value)
        if self._json:
            return (self._out(self._way.command, as_json(self._body(value, figure))),)
        if self._field == "position" and not self._way.command:
            return (self._out(self._entity.command_topic, self._open_or_close(value).encode()),)
        lit = not isinstance(value, str) and bool(value)
        switch = self._switch
        if switch is not None and not lit:
            return (self._out(switch.command, self._entity.payload_off.encode()),)
        text = fill(self._way.template, str(figure)).encode()
        level = (self._out(self._way.command, text),)
        if switch is None:
            return level
        return (*level, self._out(switch.command, self._entity.payload_on.encode()))

    def heard(self, topic: str, payload: bytes) -> Heard:
        """Return what a state or availability message says; an empty state says nothing."""
        presence = self._presences.get(topic)
        if presence is not None:
            return Heard(online=_there(presence, self._paths[topic], payload))
        if self._json:
            return self._from_json(an_object(payload))
        switch, way = self._switch, self._way
        if switch is not None and switch.state == topic:
            word = at(payload, switch.path)
            if word not in (None, ""):
                self._on = self._word.back(word) == "on"
        if way.state == topic:
            raw = at(payload, way.path)
            if raw not in (None, ""):
                self._level = self._back(raw)
        if switch is not None and self._on is False:
            return Heard(0.0)
        # Of a lamp whose switch is told but not heard of yet, the level says nothing.
        if self._level is None or (switch is not None and switch.state and self._on is None):
            return NOTHING
        return Heard(self._level)

    def _out(self, topic: str, payload: bytes) -> Said:
        return Said(topic, payload, self._entity.retain)

    def _body(self, value: Value, figure: float | str) -> dict[str, object]:
        if self._field == "state":
            return {"state": figure}
        if self._field == "brightness":
            return {"state": "ON" if value else "OFF", **({"brightness": figure} if value else {})}
        return {"state": "ON", "color_temp": figure}

    def _from_json(self, state: dict[str, object]) -> Heard:
        if self._field == "brightness" and state.get("state") == "OFF":
            return Heard(0.0)
        raw = state.get(self._field)
        return NOTHING if raw is None else Heard(self._back(raw))

    def _back(self, raw: object) -> Value:
        if self._field == "position" and not self._way.command:
            return self._moved(raw)
        measure = self._word if self._field == "state" else self.measure
        try:
            return measure.back(raw)
        except ContractError as error:
            raise ContractError(f"as its {self._field} {error}") from None

    def _moved(self, raw: object) -> Value:
        if raw not in (self._entity.state_open, self._entity.state_closed):
            raise ContractError("a cover that is neither open nor closed")
        return 0.0 if raw == self._entity.state_open else 100.0

    def _open_or_close(self, value: Value) -> str:
        if value not in (0, 100):
            raise ContractError("a cover without set_position_topic takes 0 (open) or 100 (closed)")
        return self._entity.payload_close if value else self._entity.payload_open


def _way(entity: Entity, field: DeviceField, in_json: bool) -> Way:
    begin = "" if in_json else WAYS.get((entity.component, field), "")
    if begin == "position":
        if not entity.set_position_topic:
            if not entity.command_topic:
                raise DialectError("entity.set_position_topic", "a topic, or one in command_topic")
            return Way("", "", entity.state_topic, path_of(entity.value_template))
        path = path_of(entity.position_template)
        return Way(entity.set_position_topic, entity.set_position_template,
                   entity.position_topic, path)  # fmt: skip
    key = f"{begin}_command_topic" if begin else "command_topic"
    command = topic(getattr(entity, key), f"entity.{key}")
    if begin:
        ending = "_state_template" if begin == "temperature" else "_value_template"
        path = path_of(getattr(entity, begin + ending))
        template: str = getattr(entity, f"{begin}_command_template")
        state: str = getattr(entity, f"{begin}_state_topic")
    else:
        template, state = entity.command_template, entity.state_topic
        path = path_of(entity.state_value_template or entity.value_template)
    _ = fill(template, "0")
    return Way(command, template, state, path)


def _switched(entity: Entity, field: DeviceField) -> bool:
    """Whether the level has a switch beside it that 0 turns off."""
    separate = (entity.component, field) in (("light", "brightness"), ("fan", "level"))
    return separate and entity.schema != "json"


def _switch_way(entity: Entity) -> Way:
    path = path_of(entity.state_value_template or entity.value_template)
    return Way(topic(entity.command_topic, "entity.command_topic"), "", entity.state_topic, path)


def _measure(wiring: Wiring, entity: Entity) -> Measure:
    if entity.component == "fan" and wiring.field == "level":
        return Percent(0.0, entity.speed_range_max, slack=1.0)
    if wiring.field == "level" and wiring.low == wiring.high == 0:
        return Number(entity.min, entity.max, slack=0.01)
    measures: dict[DeviceField, Measure] = {
        "brightness": Percent(0.0, entity.brightness_scale),
        "state": Switch(entity.payload_on, entity.payload_off),
        "color_temp": MIRED,
        "occupied_heating_setpoint": CELSIUS,
        "position": Percent(entity.position_open, entity.position_closed, slack=3.0, slow=True),
        "option": Names(entity.options),
    }
    return measures.get(wiring.field) or level(wiring.low, wiring.high)


def _there(presence: Availability, path: Path | None, payload: bytes) -> bool:
    word = at(payload, path)
    if word not in (presence.payload_available, presence.payload_not_available):
        raise ContractError("an availability that its configuration does not know")
    return word == presence.payload_available
