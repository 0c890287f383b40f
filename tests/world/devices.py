"""Zigbee devices behind Zigbee2MQTT, as far as the room sees them: set in, retained state out.

    python -m tests.world.devices --port 1883 --device ceiling --device radiator

A name that begins with `radiator` is a valve, every other one a dimmable light. The bridge tells of
them and says whether it is there; a --stubborn one does not do what it is told.
"""

import argparse
from typing import Any

import msgspec

from tests.world.on_broker import Device


class Light:
    """A dimmable light: brightness 0..254, kept while it is off."""

    def __init__(self) -> None:
        self.state: dict[str, object] = {"state": "OFF", "brightness": 254, "linkquality": 120}

    def set(self, asked: dict[str, Any]) -> None:
        level = asked.get("brightness")
        if isinstance(level, int | float) and not isinstance(level, bool):
            if level > 0:
                self.state["brightness"] = max(1, min(254, int(level)))
            self.state["state"] = "ON" if level > 0 else "OFF"
        if asked.get("state") in ("ON", "OFF"):
            self.state["state"] = asked["state"]


class Radiator:
    """A thermostatic valve: half degrees, 5 to 30 °C."""

    def __init__(self) -> None:
        self.state: dict[str, object] = {
            "occupied_heating_setpoint": 18.0,
            "local_temperature": 20.5,
            "system_mode": "heat",
            "linkquality": 90,
        }

    def set(self, asked: dict[str, Any]) -> None:
        wanted = asked.get("occupied_heating_setpoint")
        if isinstance(wanted, int | float) and not isinstance(wanted, bool):
            self.state["occupied_heating_setpoint"] = max(5.0, min(30.0, round(wanted * 2) / 2))
        if asked.get("system_mode") in ("off", "heat", "auto"):
            self.state["system_mode"] = asked["system_mode"]


EXPOSES: dict[str, list[dict[str, Any]]] = {
    "light": [{
        "type": "light",
        "features": [
            {"name": "state", "property": "state", "type": "binary", "access": 7},
            {"name": "brightness", "property": "brightness", "type": "numeric", "access": 7,
             "value_min": 0, "value_max": 254},
        ],
    }],
    "radiator": [{
        "type": "climate",
        "features": [
            {"name": "occupied_heating_setpoint", "property": "occupied_heating_setpoint",
             "type": "numeric", "access": 7, "value_min": 5, "value_max": 30},
            {"name": "local_temperature", "property": "local_temperature", "type": "numeric",
             "access": 1},
        ],
    }],
}  # fmt: skip
"""What the bridge says of each sort, as far as a room reads it."""


def announced(names: list[str]) -> list[dict[str, Any]]:
    """Return the bridge's list of its devices, itself among them."""
    rows: list[dict[str, Any]] = [
        {"friendly_name": "Coordinator", "type": "Coordinator", "definition": None}
    ]
    for name in names:
        sort = "radiator" if name.startswith("radiator") else "light"
        definition = {"model": "X1", "vendor": "Example", "exposes": EXPOSES[sort]}
        rows.append({"friendly_name": name, "type": "Router", "definition": definition})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--device", action="append", required=True)
    parser.add_argument("--stubborn", action="append", default=[])
    options = parser.parse_args()
    devices = {
        name: Radiator() if name.startswith("radiator") else Light() for name in options.device
    }

    def tell(name: str) -> None:
        body = msgspec.json.encode(devices[name].state)
        client.say(f"zigbee2mqtt/{name}", body, retain=True)

    def greet() -> None:
        listed = msgspec.json.encode(announced(options.device))
        client.say("zigbee2mqtt/bridge/devices", listed, retain=True)
        for name in devices:
            tell(name)

    def asked(topic: str, payload: bytes) -> None:
        name = topic.split("/")[1]
        try:
            body = msgspec.json.decode(payload, type=dict[str, Any])
        except msgspec.MsgspecError:
            return
        if topic.endswith("/set") and name not in options.stubborn:
            devices[name].set(body)
        client.later(lambda: tell(name))

    filters = [f"zigbee2mqtt/{name}/{what}" for name in devices for what in ("set", "get")]
    will = "zigbee2mqtt/bridge/state"
    here, gone = '{"state":"online"}', '{"state":"offline"}'
    client = Device(options.port, filters, asked, greet, (will, here), (will, gone))
    client.run()


if __name__ == "__main__":
    main()
