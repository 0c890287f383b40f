"""Zigbee2MQTT's list of its devices and of what each exposes. Pure."""

from collections.abc import Iterator

from edge.actuators.dialects import Wiring
from edge.actuators.dialects.reading import a_list
from edge.actuators.dialects.zigbee2mqtt import BASE
from edge.actuators.discovery.found import Found, level, number, setpoint, switch, text

FILTER = "+/bridge/devices"
DEVICE_LIMIT = 500
FEATURE_LIMIT = 50
SETTABLE = 0b010


def devices(topic: str, payload: bytes) -> Iterator[Found]:
    """Yield what the devices in a bridge's list let be moved; raise ContractError for no list."""
    base = topic.split("/", maxsplit=1)[0]
    for device in a_list(payload)[:DEVICE_LIMIT]:
        if isinstance(device, dict) and not device.get("disabled"):
            yield from _device("" if base == BASE else base, device)


def _device(base: str, device: dict[str, object]) -> Iterator[Found]:
    name = text(device.get("friendly_name"))
    definition = device.get("definition")
    if not name or name != device.get("friendly_name") or not isinstance(definition, dict):
        return
    exposes = definition.get("exposes")
    for group in exposes[:FEATURE_LIMIT] if isinstance(exposes, list) else []:
        features = group.get("features") if isinstance(group, dict) else None
        if isinstance(features, list):
            yield from _group(base, name, group, features[:FEATURE_LIMIT])


def _group(
    base: str, device: str, group: dict[str, object], listed: list[object]
) -> Iterator[Found]:
    features: dict[object, dict[str, object]] = {}
    for feature in listed:
        if isinstance(feature, dict) and _settable(feature) and text(feature.get("property")):
            features.setdefault(feature.get("name"), feature)
    endpoint = text(group.get("endpoint"))
    title = f"{device} {endpoint}".strip()

    def key(name: str) -> str:
        told = text(features[name].get("property"))
        return "" if told == name else told

    match group.get("type"):
        case "light" if "brightness" in features:
            full = number(features["brightness"].get("value_max"), 254.0)
            wiring = Wiring(device, "brightness", key=key("brightness"), base=base,
                            high=0.0 if full in (254, 255) else full)  # fmt: skip
            yield level(wiring, "light", title)
            if "color_temp" in features:
                yield _white(device, base, key("color_temp"), title, features["color_temp"])
        case "light" | "switch" as sort if "state" in features:
            wiring = Wiring(device, "state", key=key("state"), base=base)
            yield switch(wiring, sort, title)
        case "cover" if "position" in features:
            wiring = Wiring(device, "position", key=key("position"), base=base)
            yield level(wiring, "blind", title)
        case "climate":
            yield from _climate(device, base, title, features)
        case "fan" if "mode" in features:
            names = features["mode"].get("values")
            told = tuple(v for v in names if text(v) == v)[:16] if isinstance(names, list) else ()
            wiring = Wiring(device, "option", key=text(features["mode"].get("property")), base=base)
            if told:
                rest = "off" if "off" in told else told[0]
                yield Found(wiring, "ventilation", title, values=told, fallback=rest)


def _white(device: str, base: str, key: str, title: str, feature: dict[str, object]) -> Found:
    low = number(feature.get("value_min"), 153.0)
    high = number(feature.get("value_max"), 500.0)
    wiring = Wiring(device, "color_temp", key=key, base=base)
    return Found(wiring, "white", title, low, high, fallback=(low + high) / 2)


def _climate(
    device: str, base: str, title: str, features: dict[object, dict[str, object]]
) -> Iterator[Found]:
    for name in ("occupied_heating_setpoint", "current_heating_setpoint"):
        if name in features:
            told = features[name]
            property_ = text(told.get("property"))
            key = "" if property_ == "occupied_heating_setpoint" else property_
            wiring = Wiring(device, "occupied_heating_setpoint", key=key, base=base)
            yield setpoint(wiring, title, told.get("value_min"), told.get("value_max"))
            return


def _settable(feature: dict[str, object]) -> bool:
    access = feature.get("access")
    return isinstance(access, int) and bool(access & SETTABLE)
