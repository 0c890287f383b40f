"""Devices on the room's broker: what they should be against what they report, again and again."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter

from edge.actuators.dialects import Said, Wiring, channel
from edge.actuators.mqtt_device import MqttDevice
from edge.actuators.mqtt_row import Desire, Row
from edge.contracts.base import ContractError, Value
from edge.contracts.commands import Command
from edge.contracts.signals import DeviceReported, Signal
from edge.process.mqtt_port import MqttPort

log = structlog.get_logger()

SENT = Counter(
    "roomkeeper_device_sets",
    "Set messages to devices, by outcome: sent, offline, invalid.",
    ["outcome"],
)
REPORTS = Counter(
    "roomkeeper_device_reports",
    "State messages of devices: taken, malformed, flooded.",
    ["outcome"],
)

FOLLOW_S = 2.0
SLOW = 15
"""How much longer a blind may be on its way."""
REST = 0.75
"""Parts of FOLLOW_S after which what stopped is at rest."""
TRIES = 3
RESEND_CAP_S = 60.0
TICK_S = 0.1
REFUSED = 0x80


@dataclass(frozen=True, slots=True)
class MqttActuator:
    """An actuator and what of which device moves it."""

    name: str
    wiring: Wiring


class MqttDriver:
    """Brings devices to the state of the last Command and keeps them there while its lease holds.

    Posts DeviceReported when a device reports a change, and the health of `device:<name>`:
    degraded when it did not follow three times, 2 s apart and then ever longer; lost when it, or
    the bridge it hangs on, says that it is away. After its lease the desire is dropped; the device
    stays as it is. Thread `driver:mqtt` watches for what does not follow; reports arrive on the
    link's thread.
    """

    def __init__(
        self,
        link: MqttPort,
        actuators: Sequence[MqttActuator],
        post: Callable[[Signal], None],
        *,
        name: str = "driver:mqtt",
        follow_s: float = FOLLOW_S,
        wall: Callable[[], float] = time.time,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.actuators = tuple(actuator.name for actuator in actuators)
        self._link = link
        self._post = post
        self._follow_s = follow_s
        self._wall = wall
        self._mono = mono
        self._lock = threading.RLock()
        names = dict.fromkeys(actuator.wiring.device for actuator in actuators)
        self._devices = {device: MqttDevice(device, post, mono) for device in names}
        self._rows: dict[str, Row] = {}
        self._hearers: dict[str, dict[str, list[Row]]] = {}
        for actuator in actuators:
            self._add(actuator)
        self._was_up = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=name)

    def _add(self, actuator: MqttActuator) -> None:
        device = actuator.wiring.device
        way = channel(actuator.wiring)
        row = Row(actuator.name, self._devices[device], f"device:{device}", way)
        self._rows[actuator.name] = row
        for topic in way.topics:
            self._hearers.setdefault(topic, {}).setdefault(device, []).append(row)

    def start(self) -> None:
        """Begin to listen and to watch."""
        for topic in self._hearers:
            self._link.subscribe(topic, self._on_message, 1)
        self._thread.start()

    def stop(self) -> None:
        """End at once; devices stay as they are."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def apply(self, command: Command) -> None:
        """Take a desired state on, from any thread, without waiting."""
        row = self._rows.get(command.actuator)
        if row is None:
            SENT.labels("invalid").inc()
            log.error("command for an actuator without a device", actuator=command.actuator)
            return
        with self._lock:
            try:
                messages = row.channel.said(command.value)
            except ContractError as error:
                SENT.labels("invalid").inc()
                row.device.wrong(f"{command.actuator}: {error}")
                return
            known = row.desire
            if known is not None and known.messages == messages:
                known.value, known.until = command.value, command.until
                return
            row.desire = Desire(command.value, messages, command.until, self._mono())
            if not (command.source == row.source and row.settled):
                # Even if the device is said to be so: what the broker kept may be long untrue.
                self._send(row, row.desire)

    def release(self, actuator: str) -> None:
        """Want nothing of an actuator any more; its device stays as it is."""
        with self._lock:
            if actuator in self._rows:
                self._rows[actuator].desire = None

    def _send(self, row: Row, desire: Desire) -> None:
        sent = all(self._say(row, message) for message in desire.messages)
        SENT.labels("sent" if sent else "offline").inc()
        desire.tries += sent
        pause = min(RESEND_CAP_S, self._patience(row) * 2.0 ** max(0, desire.tries - TRIES))
        desire.due = self._mono() + (pause if sent else self._follow_s)

    def _patience(self, row: Row) -> float:
        return self._follow_s * (SLOW if row.slow else 1)

    def _say(self, row: Row, message: Said) -> bool:
        def on_ack(reason: int) -> None:
            if reason >= REFUSED:
                with self._lock:
                    row.device.wrong("the broker refuses: check its ACL")

        return self._link.publish(
            message.topic, message.payload, qos=1, retain=message.retain, on_ack=on_ack
        )

    def _watch(self) -> None:
        while not self._stop.wait(TICK_S):
            up = self._link.connected
            with self._lock:
                if up and not self._was_up:
                    self._ask()
                for row in self._rows.values():
                    self._follow_up(row, up and not self._was_up)
                    if row.rests_at is not None and self._mono() >= row.rests_at:
                        self._tell(row)
                for device in self._devices.values():
                    device.settle()
            self._was_up = up

    def _ask(self) -> None:
        """A device that is not kept by the broker, or changed while we were away, says it now."""
        for row in self._rows.values():
            for question in row.channel.asks:
                self._say(row, question)

    def _follow_up(self, row: Row, came_up: bool) -> None:
        desire = row.desire
        if desire is None:
            return
        if desire.until <= self._wall():
            row.desire = None
            self._judge(row.device)
        elif came_up:
            desire.tries = 0
            self._send(row, desire)
        elif self._link.connected and not row.device.away and not row.settled:
            if self._mono() < desire.due:
                return
            if desire.tries >= TRIES:
                row.device.stuck(f"{row.name} does not follow after {TRIES} tries")
            self._send(row, desire)

    def _on_message(self, topic: str, payload: bytes, _retained: bool) -> None:
        if self._stop.is_set():
            return
        with self._lock:
            for device, rows in self._hearers.get(topic, {}).items():
                outcome = self._hear(self._devices[device], rows, topic, payload)
                REPORTS.labels(outcome).inc()

    def _hear(self, device: MqttDevice, rows: list[Row], topic: str, payload: bytes) -> str:
        if not device.allow():
            return "flooded"
        outcome = "taken"
        for row in rows:
            try:
                heard = row.channel.heard(topic, payload)
            except ContractError as error:
                device.wrong(f"reports {error}")
                outcome = "malformed"
                continue
            if heard.online is not None and device.presence(topic, heard.online):
                self._welcome(device)
            if heard.value is not None:
                self._take(row, heard.value)
        if outcome == "taken":
            self._judge(device)
        return outcome

    def _welcome(self, device: MqttDevice) -> None:
        """Say at once to a device that came back what it should be."""
        for row in self._rows.values():
            if row.device is device and row.desire is not None:
                row.desire.tries = 0
                self._send(row, row.desire)

    def _take(self, row: Row, heard: Value) -> None:
        had_followed, moves = row.settled, row.slow and heard != row.heard
        row.heard = heard
        if row.desire is not None and row.settled:
            row.desire.tries = 0
            self._tell(row)
            return
        if row.desire is not None and (had_followed or moves):
            # Perhaps a hand has set it: the room decides first whether that holds.
            row.desire.due = max(row.desire.due, self._mono() + self._patience(row))
        if not row.slow:
            self._tell(row)
        elif moves:
            # Where it is on its way is nowhere that anybody has set it to.
            row.rests_at = self._mono() + REST * self._follow_s

    def _tell(self, row: Row) -> None:
        row.rests_at = None
        if row.heard is None:
            return
        if row.desire is not None and row.settled:
            # The device rounds; the room's own figure says the same.
            value = row.desire.value
        else:
            value = row.channel.measure.tidy(row.heard)
        if row.told != value:
            row.told = value
            self._post(DeviceReported(row.source, row.name, value))

    def _judge(self, device: MqttDevice) -> None:
        """Call a device well when all it should follow, it does."""
        desires = [row.desire for row in self._rows.values() if row.device is device]
        if not any(desire is not None and desire.tries > TRIES for desire in desires):
            device.stuck("")
