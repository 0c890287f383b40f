"""Sensor board of a room: SCD4x (CO2, temperature, humidity), BH1750 (light), PIR, contacts; MQTT.

MicroPython 1.22 or newer on an ESP32 or a Pico W, with `umqtt.simple` (`mip install umqtt.simple`).
Not tested on hardware yet; only `encode`, `crc8` and `scd4x_values` run in the tests. Settings are
in config.py beside this file. What a sensor cannot tell is left out of the message.
"""

import json
import time

try:
    import machine
    import network
    from umqtt.simple import MQTTClient
except ImportError:
    # The pure functions below are tested on a desktop, where none of these exist.
    machine = network = MQTTClient = None

SCD4X = 0x62
BH1750 = 0x23
PERIOD_MS = 2000
SENSOR_MS = 5000
KEEPALIVE_S = 30
WATCHDOG_MS = 8000
MISSES = 5


def crc8(data):
    """Return Sensirion's checksum (polynomial 0x31, start 0xFF) of two bytes."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def scd4x_values(raw):
    """Return (ppm, °C, %) of a 9-byte measurement, None when a checksum is wrong."""
    words = []
    for at in (0, 3, 6):
        if crc8(raw[at : at + 2]) != raw[at + 2]:
            return None
        words.append(raw[at] << 8 | raw[at + 1])
    return words[0], -45 + 175 * words[1] / 65535, 100 * words[2] / 65535


def encode(air, light, motion, window=None, door=None):
    """Return the message as the appliance reads it; None stands for what is not known."""
    message = {"occupancy": bool(motion)}
    if window is not None:
        message["window"] = bool(window)
    if door is not None:
        message["door"] = bool(door)
    if air is not None:
        co2, temperature, humidity = air
        message["co2"] = co2
        message["temperature"] = round(temperature, 2)
        message["humidity"] = round(humidity, 1)
    if light is not None:
        message["illuminance"] = round(light, 1)
    return json.dumps(message)


class Sensors:
    """The two I2C sensors; one that is missing or fails reads as None."""

    def __init__(self, scl, sda):
        self._bus = machine.I2C(0, scl=machine.Pin(scl), sda=machine.Pin(sda), freq=100000)
        self._air = None
        self._missed = 0
        self._next = time.ticks_ms()
        self._write(SCD4X, b"\x21\xb1")
        self._write(BH1750, b"\x10")

    def _write(self, address, command):
        try:
            self._bus.writeto(address, command)
        except OSError:
            return False
        return True

    def air(self):
        """Return the latest measurement; the sensor makes one every 5 s and is silent before."""
        if time.ticks_diff(time.ticks_ms(), self._next) >= 0:
            fresh = self._read_air()
            if fresh is not None:
                self._air, self._missed = fresh, 0
                self._next = time.ticks_add(time.ticks_ms(), SENSOR_MS)
            else:
                self._missed += 1
                if self._missed > MISSES:
                    self._air = None
        return self._air

    def _read_air(self):
        if not self._write(SCD4X, b"\xec\x05"):
            return None
        time.sleep_ms(2)
        try:
            return scd4x_values(self._bus.readfrom(SCD4X, 9))
        except OSError:
            return None

    def light(self):
        """Return lux."""
        try:
            raw = self._bus.readfrom(BH1750, 2)
        except OSError:
            return None
        return (raw[0] << 8 | raw[1]) / 1.2


def contact(pin):
    """Return a function that tells whether the contact at a GPIO is open; None without one."""
    if pin is None:
        return lambda: None
    return machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP).value


def wifi(config, watchdog):
    """Return when the board is on the network."""
    station = network.WLAN(network.STA_IF)
    station.active(True)
    if not station.isconnected():
        station.connect(config.WIFI_NAME, config.WIFI_PASSWORD)
    while not station.isconnected():
        watchdog.feed()
        time.sleep_ms(200)


def run(config):
    """Measure and publish for ever; whatever goes wrong, connect again."""
    watchdog = machine.WDT(timeout=WATCHDOG_MS)
    sensors = Sensors(config.SCL, config.SDA)
    pir = machine.Pin(config.PIR, machine.Pin.IN)
    window, door = contact(config.WINDOW), contact(config.DOOR)
    topic = f"roomkeeper/{config.ROOM}/node/{config.NODE}"
    while True:
        try:
            wifi(config, watchdog)
            client = MQTTClient(
                config.NODE,
                config.BROKER,
                user=config.USERNAME,
                password=config.PASSWORD,
                keepalive=KEEPALIVE_S,
            )
            client.connect()
            while True:
                watchdog.feed()
                air, light = sensors.air(), sensors.light()
                client.publish(topic, encode(air, light, pir.value(), window(), door()))
                time.sleep_ms(PERIOD_MS)
        except OSError:
            watchdog.feed()
            time.sleep_ms(1000)


if __name__ == "__main__" and machine is not None:
    import config

    run(config)
