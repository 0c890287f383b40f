"""Tasmota: a command topic per word, a RESULT per answer, STATE now and then, a last will."""

from edge.actuators.dialects.channel import NOTHING, DialectError, Heard, Said, Wiring, topic
from edge.actuators.dialects.measure import HUE, MIRED, Measure, Names, Percent, Switch, level
from edge.actuators.dialects.reading import a_word, an_object
from edge.contracts.base import ContractError, Value
from edge.contracts.wire import DeviceField

FULL_TOPIC = "%prefix%/%topic%"
COMMAND: dict[DeviceField, str] = {
    "state": "POWER",
    "brightness": "Dimmer",
    "color_temp": "CT",
    "hue": "HSBColor1",
    "saturation": "HSBColor2",
    "position": "ShutterPosition1",
}
"""Fields whose command is called so; the others need a `key`."""


SWITCH = Switch()
MEASURES: dict[DeviceField, Measure] = {
    "state": SWITCH,
    "brightness": Percent(slack=1.0),
    "saturation": Percent(slack=1.0),
    "color_temp": MIRED,
    "hue": HUE,
    # Tasmota counts how far a shutter is open.
    "position": Percent(100.0, 0.0, slack=3.0, slow=True),
    "option": Names(),
}


class Tasmota:
    """One command of one Tasmota device, such as POWER2, Dimmer or FanSpeed."""

    reports = True

    def __init__(self, wiring: Wiring) -> None:
        if wiring.field == "occupied_heating_setpoint":
            raise DialectError("field", "any but this: Tasmota has no such thing; see level")
        self._field = wiring.field
        self._key = wiring.key or COMMAND.get(wiring.field, "")
        if not self._key or "/" in self._key:
            raise DialectError("key", f"the command that sets the {wiring.field}")
        pattern = (wiring.base or FULL_TOPIC).rstrip("/")
        if "%prefix%" not in pattern or "%topic%" not in pattern:
            raise DialectError("base", "its FullTopic, with %prefix% and %topic%")
        device = topic(wiring.device, "device")

        def place(prefix: str, word: str) -> str:
            filled = pattern.replace("%prefix%", prefix).replace("%topic%", device)
            return topic(f"{filled}/{word}", "base")

        self._power = "POWER"
        self._set = place("cmnd", self._key)
        self._will = place("tele", "LWT")
        self.measure = MEASURES.get(wiring.field) or level(wiring.low, wiring.high)
        told = (place("stat", "RESULT"), place("tele", "STATE"))
        if wiring.field == "position":
            self.asks: tuple[Said, ...] = (Said(self._set, b""),)
            self.topics: tuple[str, ...] = (*told, place("tele", "SENSOR"), self._will)
        else:
            self.asks = (Said(place("cmnd", "STATE"), b""),)
            self.topics = (*told, self._will)

    def said(self, value: Value) -> tuple[Said, ...]:
        """Return the command; a Dimmer of 0 switches off, of more switches on."""
        return (Said(self._set, str(self.measure.out(value)).encode()),)

    def heard(self, topic: str, payload: bytes) -> Heard:
        """Return what an answer, a state or the last will says."""
        if topic == self._will:
            word = a_word(payload)
            if word not in ("Online", "Offline"):
                raise ContractError("a last will that is neither Online nor Offline")
            return Heard(online=word == "Online")
        raw = self._raw(an_object(payload))
        if raw is None:
            return NOTHING
        try:
            return Heard(self.measure.back(raw))
        except ContractError as error:
            raise ContractError(f"as its {self._key} {error}") from None

    def _raw(self, state: dict[str, object]) -> object:
        match self._field:
            case "state":
                return _power(state, self._key)
            case "brightness":
                switch = _power(state, self._power)
                off = switch is not None and SWITCH.back(switch) == "off"
                return 0 if off else state.get(self._key)
            case "hue" | "saturation":
                return _colour(state.get("HSBColor"), self._field)
            case "position":
                number = self._key.removeprefix("ShutterPosition") or "1"
                shutter = state.get(f"Shutter{number}")
                return shutter.get("Position") if isinstance(shutter, dict) else None
            case _:
                return state.get(self._key)


def _power(state: dict[str, object], key: str) -> object:
    """A device with one relay says POWER where one with several says POWER1."""
    if key in ("POWER", "POWER1"):
        return state.get("POWER", state.get("POWER1"))
    return state.get(key)


def _colour(said: object, field: DeviceField) -> object:
    parts = said.split(",") if isinstance(said, str) and len(said) < 32 else []
    return parts[0 if field == "hue" else 1] if len(parts) == 3 else None
