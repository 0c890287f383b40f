"""Zigbee2MQTT: one JSON object per device, set and told; the bridge says who is there."""

from edge.actuators.dialects.channel import NOTHING, DialectError, Heard, Said, Wiring, topic
from edge.actuators.dialects.measure import (
    CELSIUS,
    HUE,
    MIRED,
    Measure,
    Names,
    Percent,
    Switch,
    level,
)
from edge.actuators.dialects.reading import a_word, an_object, as_json
from edge.contracts.base import ContractError, Value
from edge.contracts.wire import DeviceField

BASE = "zigbee2mqtt"
FULL = 254.0
OWN_NAME: dict[DeviceField, str] = {
    "brightness": "brightness",
    "state": "state",
    "color_temp": "color_temp",
    "occupied_heating_setpoint": "occupied_heating_setpoint",
    "position": "position",
}
"""Fields whose property is called so; the others need a `key`."""


SWITCH = Switch()
MEASURES: dict[DeviceField, Measure] = {
    "state": SWITCH,
    "color_temp": MIRED,
    "occupied_heating_setpoint": CELSIUS,
    # The room counts how far a blind is closed, Zigbee2MQTT how far it is open.
    "position": Percent(100.0, 0.0, slack=3.0, slow=True),
    "hue": HUE,
    "saturation": Percent(slack=2.0),
    "option": Names(),
}


class Zigbee2Mqtt:
    """One property of one Zigbee device."""

    reports = True

    def __init__(self, wiring: Wiring) -> None:
        device = topic(f"{wiring.base or BASE}/{topic(wiring.device, 'device')}", "base")
        self._field = wiring.field
        self._key = wiring.key or OWN_NAME.get(wiring.field, "")
        if wiring.field in ("hue", "saturation"):
            self._key = wiring.key or "color"
        if not self._key:
            raise DialectError("key", f"the property of its JSON that holds the {self._field}")
        # A gang of switches tells them apart at the end: brightness_l1 goes with state_l1.
        self._state = "state" + self._key.removeprefix("brightness")
        self._device = device
        self._there = (f"{device}/availability", f"{wiring.base or BASE}/bridge/state")
        self.measure = _measure(wiring)
        self.topics = (device, *self._there)
        self.asks = (Said(f"{device}/get", as_json({self._key: ""})),)

    def said(self, value: Value) -> tuple[Said, ...]:
        """Return the set message."""
        figure = self.measure.out(value)
        body: dict[str, object] = {self._key: figure}
        if self._field == "brightness":
            body = {self._state: "ON" if figure else "OFF", self._key: figure}
        elif self._field in ("hue", "saturation"):
            body = {self._key: {self._field: figure}}
        return (Said(f"{self._device}/set", as_json(body)),)

    def heard(self, topic: str, payload: bytes) -> Heard:
        """Return what a state or an availability message says."""
        if topic in self._there:
            return Heard(online=_online(payload))
        state = an_object(payload)
        raw = state.get(self._key)
        switch = state.get(self._state) if self._field == "brightness" else None
        if switch is not None and SWITCH.back(switch) == "off":
            return Heard(0.0)
        if self._field in ("hue", "saturation"):
            raw = raw.get(self._field) if isinstance(raw, dict) else None
        if raw is None:
            return NOTHING
        try:
            return Heard(self.measure.back(raw))
        except ContractError as error:
            raise ContractError(f"as its {self._key} {error}") from None


def _measure(wiring: Wiring) -> Measure:
    if wiring.field == "brightness":
        return Percent(0.0, wiring.high or FULL)
    return MEASURES.get(wiring.field) or level(wiring.low, wiring.high)


def _online(payload: bytes) -> bool | None:
    """Return what an availability message says: older bridges send a word, newer ones JSON."""
    said: object = an_object(payload).get("state") if payload[:1] == b"{" else a_word(payload)
    if said not in ("online", "offline"):
        raise ContractError("an availability that is neither online nor offline")
    return said == "online"
