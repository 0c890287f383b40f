"""A sensor board in a room with people: temperature, humidity, CO2, light and a PIR over MQTT.

    python -m tests.world.board --port 1883 --room aurora --node desk --people "0:0,20:2,120:0"

--people lists second:people since the start; --script FILE holds the same, one a line. --window
lists second:1 (open) and second:0 (closed) of a contact. What is measured follows a mass balance of
the room's air, changed faster by an open window; the same seed gives the same measurements.
"""

import argparse
import math
import random
import signal
import threading
import time
from pathlib import Path

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

VOLUME_M3 = 75.0
AIR_CHANGES_PER_H = 1.5
WINDOW_CHANGES_PER_H = 8.0
WINDOW_LOSS_W_K = 200.0
CO2_OUTSIDE_PPM = 420.0
CO2_PER_PERSON_M3_S = 0.0052 / 1000
WATT_PER_PERSON = 100.0
HEAT_CAPACITY_J_K = 1.5e6
LOSS_W_K = 60.0
TEMPERATURE_OUTSIDE = 15.0
RADIATOR_W = 350.0
PIR_HOLD_S = 10.0
SEEN_PER_S = 0.35
"""Chance that the PIR sees one seated person move within a second."""


def timeline(text: str) -> list[tuple[float, int]]:
    """Return (second, people) rows of `0:0,20:2` or of one such pair a line."""
    rows = []
    for part in text.replace(",", "\n").split():
        at, people = part.split(":")
        rows.append((float(at), int(people)))
    return sorted(rows)


def people_at(rows: list[tuple[float, int]], second: float) -> int:
    """Return how many people the room holds at a second."""
    return next((count for at, count in reversed(rows) if at <= second), 0)


class Air:
    """The room's air and what a board with real sensors' noise says of it."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.co2 = 480.0
        self.temperature = 20.8
        self.vapour = 8.0
        self._motion_until = -1.0

    def step(self, people: int, second: float, seconds: float, is_open: bool = False) -> None:
        """Let `seconds` pass with that many people in the room, its window open or closed."""
        changes = AIR_CHANGES_PER_H + (WINDOW_CHANGES_PER_H if is_open else 0.0)
        change = 1 - math.exp(-changes * seconds / 3600)
        self.co2 += people * CO2_PER_PERSON_M3_S / VOLUME_M3 * 1e6 * seconds
        self.co2 += (CO2_OUTSIDE_PPM - self.co2) * change
        loss_w_k = LOSS_W_K + (WINDOW_LOSS_W_K if is_open else 0.0)
        loss = loss_w_k * (self.temperature - TEMPERATURE_OUTSIDE)
        heat = people * WATT_PER_PERSON + RADIATOR_W - loss
        self.temperature += heat * seconds / HEAT_CAPACITY_J_K
        # About 60 g of water an hour leave a seated person.
        self.vapour += people * 60 / 3600 * seconds / VOLUME_M3 + (7.5 - self.vapour) * change
        if self._rng.random() < 1 - (1 - SEEN_PER_S) ** (people * seconds):
            self._motion_until = second + PIR_HOLD_S

    def reading(self, people: int, second: float) -> dict[str, object]:
        """Return what the board sends."""
        saturation = 5.018 + 0.32321 * self.temperature + 0.0081847 * self.temperature**2
        saturation += 0.00031243 * self.temperature**3
        light = 180.0 + (220.0 if people else 0.0)
        return {
            "temperature": round(self.temperature + self._rng.gauss(0, 0.03), 2),
            "humidity": round(
                min(100.0, 100 * self.vapour / saturation + self._rng.gauss(0, 0.2)), 1
            ),
            "co2": round(self.co2 + self._rng.gauss(0, 4)),
            "illuminance": round(max(0.0, light + self._rng.gauss(0, 3)), 1),
            "occupancy": second < self._motion_until,
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--room", required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--people", default="0:0")
    parser.add_argument("--script", type=Path)
    parser.add_argument("--window")
    parser.add_argument("--period", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows = timeline(options.script.read_text() if options.script else options.people)
    window = timeline(options.window) if options.window else []
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.reconnect_delay_set(1, 2)
    client.connect_async("127.0.0.1", options.port)
    client.loop_start()
    topic = f"roomkeeper/{options.room}/node/{options.node}"
    air = Air(options.seed)
    began = time.monotonic()
    second = 0.0
    while not stop.wait(max(0.0, began + second - time.monotonic())):
        people = people_at(rows, second)
        is_open = bool(people_at(window, second))
        air.step(people, second, options.period, is_open)
        reading = air.reading(people, second)
        if window:
            reading["window"] = is_open
        if client.is_connected():
            client.publish(topic, msgspec.json.encode(reading), 0)
        second += options.period
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
