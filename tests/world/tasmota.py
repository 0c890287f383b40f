"""Tasmota devices as the room sees them: commands in, RESULT and STATE out, LWT, discovery.

    python -m tests.world.tasmota --port 1883 --device lamp-1

One device a process. A name that begins with `lamp` is a dimmable light, with `blind` a shutter,
with `fan` a fan of three speeds, every other one a plug. A --stubborn one answers nothing.
"""

import argparse
from typing import Any

import msgspec

from tests.world.on_broker import Device

RELAY, LIGHT, SHUTTER = 1, 2, 3


class Plug:
    """One relay."""

    kind, light = RELAY, 0

    def __init__(self) -> None:
        self.state: dict[str, Any] = {"POWER": "OFF"}

    def command(self, word: str, text: str) -> dict[str, Any]:
        """Carry out one command; return what RESULT says."""
        if word == "STATE":
            return {"Time": "2026-01-01T00:00:00", **self.state}
        if word in ("POWER", "POWER1"):
            if text in ("ON", "OFF"):
                self.state["POWER"] = text
            return {"POWER": self.state["POWER"]}
        return {"Command": "Unknown"}


class Lamp(Plug):
    """A light with level, white and colour, kept while it is off."""

    kind, light = LIGHT, 5

    def __init__(self) -> None:
        self.state = {"POWER": "OFF", "Dimmer": 100, "CT": 250, "HSBColor": "0,0,100"}

    def command(self, word: str, text: str) -> dict[str, Any]:
        """Carry out one command; a Dimmer of 0 switches off."""
        if word == "Dimmer" and text.isdigit():
            level = min(100, int(text))
            self.state["POWER"] = "ON" if level else "OFF"
            self.state["Dimmer"] = level or self.state["Dimmer"]
            return {name: self.state[name] for name in ("POWER", "Dimmer")}
        if word == "CT" and text.isdigit():
            self.state["CT"] = max(153, min(500, int(text)))
            return {"CT": self.state["CT"]}
        if word in ("HSBColor1", "HSBColor2") and text.isdigit():
            parts = self.state["HSBColor"].split(",")
            parts[int(word[-1]) - 1] = text
            self.state["HSBColor"] = ",".join(parts)
            return {"HSBColor": self.state["HSBColor"]}
        return super().command(word, text)


class Blind(Plug):
    """A shutter: 0 closed, 100 open."""

    kind, light = SHUTTER, 0

    def __init__(self) -> None:
        self.state = {"Shutter1": {"Position": 100, "Direction": 0, "Target": 100}}

    def command(self, word: str, text: str) -> dict[str, Any]:
        """Carry out one command."""
        if word == "ShutterPosition1":
            if text.isdigit():
                at = min(100, int(text))
                self.state["Shutter1"] = {"Position": at, "Direction": 0, "Target": at}
            return self.state
        return super().command(word, text)


class Fan(Plug):
    """Speeds 0 to 3."""

    def __init__(self) -> None:
        self.state = {"POWER": "OFF", "FanSpeed": 0}

    def command(self, word: str, text: str) -> dict[str, Any]:
        """Carry out one command."""
        if word == "FanSpeed":
            if text in ("0", "1", "2", "3"):
                self.state["FanSpeed"] = int(text)
            return {"FanSpeed": self.state["FanSpeed"]}
        return super().command(word, text)


KINDS = {"lamp": Lamp, "blind": Blind, "fan": Fan}


def announced(name: str, device: Plug, mac: str) -> dict[str, Any]:
    """Return what tasmota/discovery/MAC/config says of it, as far as a room reads it."""
    return {
        "ip": "127.0.0.1", "dn": name, "fn": [name, None], "hn": name, "mac": mac, "md": "Generic",
        "ofln": "Offline", "onln": "Online", "state": ["OFF", "ON", "TOGGLE", "HOLD"],
        "sw": "13.4.0", "t": name, "ft": "%prefix%/%topic%/", "tp": ["cmnd", "stat", "tele"],
        "rl": [device.kind, *([device.kind] if device.kind == SHUTTER else []), 0, 0, 0, 0, 0, 0],
        "lt_st": device.light, "if": int(isinstance(device, Fan)), "so": {"4": 0}, "ver": 1,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--stubborn", action="store_true")
    options = parser.parse_args()
    name = options.device
    device = KINDS.get(name.rstrip("0123456789-"), Plug)()
    mac = f"{sum(name.encode()) * 7919:012X}"[-12:]

    def heard(topic: str, payload: bytes) -> None:
        result = device.command(topic.rpartition("/")[2], payload.decode(errors="replace"))
        if not options.stubborn:
            body = msgspec.json.encode(result)
            client.later(lambda: client.say(f"stat/{name}/RESULT", body))

    def greet() -> None:
        client.say(f"tele/{name}/STATE", msgspec.json.encode(device.state))
        config = msgspec.json.encode(announced(name, device, mac))
        client.say(f"tasmota/discovery/{mac}/config", config, retain=True)

    will = f"tele/{name}/LWT"
    filters = [f"cmnd/{name}/+"]
    client = Device(options.port, filters, heard, greet, (will, "Online"), (will, "Offline"))
    client.run()


if __name__ == "__main__":
    main()
