"""The doctor's look at the devices on the room's broker: whether each tells its state."""

import os
import queue
import time
from collections.abc import Iterator

from edge.actuators.mqtt import MqttActuator, MqttDriver
from edge.brokers import broker
from edge.config import RoomConfig
from edge.contracts.signals import DeviceReported, Signal, SourceChanged
from edge.findings import Finding
from edge.process.link import Link

LISTEN_S = 3.0


def broker_devices(config: RoomConfig) -> Iterator[Finding]:
    """Every device on the room's broker tells how it is; nothing is moved."""
    rows = [MqttActuator(a.name, w) for a in config.actuators if (w := a.wiring) is not None]
    if not rows:
        return
    said: queue.SimpleQueue[Signal] = queue.SimpleQueue()
    link = Link(f"doctor-devices-{os.getpid()}", broker(config.broker))
    driver = MqttDriver(link, rows, said.put)
    driver.start()
    link.start()
    values: dict[str, str] = {}
    health: dict[str, SourceChanged] = {}
    deadline = time.monotonic() + LISTEN_S
    try:
        while len(values) < len(rows) and (left := deadline - time.monotonic()) > 0:
            try:
                signal = said.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(signal, DeviceReported):
                values[signal.actuator] = str(signal.value)
            elif isinstance(signal, SourceChanged):
                health[signal.source] = signal
    finally:
        link.stop()
        driver.stop()
    for row in rows:
        yield _finding(row, values.get(row.name), health.get(f"device:{row.wiring.device}"))


def _finding(row: MqttActuator, value: str | None, health: SourceChanged | None) -> Finding:
    wiring = row.wiring
    title = f"{row.name} ({wiring.dialect} {wiring.device})"
    if health is not None and health.health != "ok":
        advice = "give it power and radio, or look at its bridge's log"
        return Finding(title, False, health.reason, advice)
    if value is not None:
        return Finding(title, True, f"is {value}")
    advice = "run `roomkeeper-edge devices discover` and compare device, field and dialect"
    return Finding(title, False, f"said nothing within {LISTEN_S:g} s", advice)
