"""Zigbee devices behind Zigbee2MQTT, as far as the room sees them: set in, retained state out.

    python -m tests.world.devices --port 1883 --device ceiling --device radiator

A name that begins with `radiator` is a valve, every other one a dimmable light.
"""

import argparse
import signal
import threading
from typing import Any

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

DELAY_S = 0.05
"""What the radio and the lamp take to answer."""


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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--device", action="append", required=True)
    options = parser.parse_args()
    devices = {
        name: Radiator() if name.startswith("radiator") else Light() for name in options.device
    }
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)

    def tell(name: str) -> None:
        client.publish(f"zigbee2mqtt/{name}", msgspec.json.encode(devices[name].state), 0, True)

    def connected(*_: object) -> None:
        for name in devices:
            client.subscribe(f"zigbee2mqtt/{name}/set", 1)
            tell(name)

    def asked(_client: object, _data: object, message: paho.MQTTMessage) -> None:
        name = message.topic.split("/")[1]
        try:
            body = msgspec.json.decode(message.payload, type=dict[str, Any])
        except msgspec.MsgspecError:
            return
        devices[name].set(body)
        timer = threading.Timer(DELAY_S, tell, (name,))
        timer.daemon = True
        timer.start()

    client.on_connect = connected
    client.on_message = asked
    client.reconnect_delay_set(1, 2)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    client.connect_async("127.0.0.1", options.port)
    client.loop_start()
    stop.wait()
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
