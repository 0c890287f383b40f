"""Devices on the room's broker: what they should be against what they report, again and again."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog
from prometheus_client import Counter

from edge.actuators.device_values import followed, from_device, level_of, plausible, to_device
from edge.contracts.base import ContractError, Value
from edge.contracts.commands import Command
from edge.contracts.signals import DeviceReported, Signal
from edge.contracts.topics import DEVICE, DEVICE_SET
from edge.contracts.wire import DeviceField, DeviceMessage
from edge.process.rate import RateLimit
from edge.process.reporter import HealthReporter

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
TRIES = 3
RESEND_CAP_S = 60.0
TICK_S = 0.1
CLEAN_S = 10.0
"""How long a device must report nothing wrong before it counts as well again."""

_decoder = msgspec.json.Decoder(DeviceMessage)
_encoder = msgspec.json.Encoder()


class MqttPort(Protocol):
    """The part of a link this driver needs."""

    @property
    def connected(self) -> bool:
        """Whether messages get out."""
        ...

    def subscribe(
        self, topic_filter: str, handler: Callable[[str, bytes, bool], None], qos: int = 1
    ) -> None:
        """Call handler(topic, payload, retained) for what matches."""
        ...

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        on_ack: Callable[[int], None] | None = None,
    ) -> bool:
        """Hand a message over; False when there is no connection."""
        ...


@dataclass(frozen=True, slots=True)
class MqttActuator:
    """An actuator (in per cent, °C, mired or on/off) and the field of the device that moves it."""

    name: str
    device: str
    field: DeviceField


@dataclass(slots=True)
class _Desire:
    """What an actuator should be until `until` (wall s), and when it is said next (monotonic s)."""

    value: Value
    message: DeviceMessage
    until: float
    due: float
    tries: int = 0


class MqttDriver:
    """Brings devices to the state of the last Command and keeps them there while its lease holds.

    Posts DeviceReported when a device reports a change, and the health of `device:<name>`:
    degraded when it did not follow three times, 2 s apart and then ever longer. After its lease
    the desire is dropped; the device stays as it is. Thread `driver:mqtt` watches for what does
    not follow; reports arrive on the link's thread.
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
        self._link = link
        self._post = post
        self._follow_s = follow_s
        self._wall = wall
        self._mono = mono
        self._lock = threading.RLock()
        self._actuators = {actuator.name: actuator for actuator in actuators}
        self.actuators = tuple(self._actuators)
        devices = {actuator.device for actuator in actuators}
        self._health = {device: HealthReporter(f"device:{device}", post) for device in devices}
        self._rate = {d: RateLimit(DEVICE.rate, 5 * DEVICE.rate, mono) for d in devices}
        self._desires: dict[str, _Desire] = {}
        self._levels: dict[str, float] = {}
        self._told: dict[str, Value] = {}
        self._wrong_at: dict[str, float] = {}
        self._was_up = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=name)

    def start(self) -> None:
        """Begin to listen and to watch."""
        for device in self._health:
            self._link.subscribe(DEVICE.name(device=device), self._on_state, DEVICE.qos)
        self._thread.start()

    def stop(self) -> None:
        """End at once; devices stay as they are."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def apply(self, command: Command) -> None:
        """Take a desired state on, from any thread, without waiting."""
        actuator = self._actuators.get(command.actuator)
        if actuator is None:
            SENT.labels("invalid").inc()
            log.error("command for an actuator without a device", actuator=command.actuator)
            return
        try:
            message = to_device(actuator.field, command.value)
        except ContractError as error:
            SENT.labels("invalid").inc()
            self._health[actuator.device].degraded(f"{command.actuator}: {error}")
            return
        with self._lock:
            known = self._desires.get(actuator.name)
            if known is not None and known.message == message:
                known.value, known.until = command.value, command.until
                return
            desire = _Desire(command.value, message, command.until, self._mono())
            self._desires[actuator.name] = desire
            set_there = command.source == f"device:{actuator.device}"
            if not (set_there and self._settled(actuator, desire)):
                # Even if the device is said to be so: what the broker kept may be long untrue.
                self._send(actuator, desire)

    def release(self, actuator: str) -> None:
        """Want nothing of an actuator any more; its device stays as it is."""
        with self._lock:
            self._desires.pop(actuator, None)

    def _settled(self, actuator: MqttActuator, desire: _Desire) -> bool:
        level = self._levels.get(actuator.name)
        return level is not None and followed(actuator.field, desire.message, level)

    def _send(self, actuator: MqttActuator, desire: _Desire) -> None:
        topic = DEVICE_SET.name(device=actuator.device)

        def on_ack(reason: int) -> None:
            if reason >= 0x80:
                self._health[actuator.device].degraded("the broker refuses: check its ACL")

        sent = self._link.publish(
            topic, _encoder.encode(desire.message), qos=DEVICE_SET.qos, on_ack=on_ack
        )
        SENT.labels("sent" if sent else "offline").inc()
        desire.tries += sent
        pause = min(RESEND_CAP_S, self._follow_s * 2.0 ** max(0, desire.tries - TRIES))
        desire.due = self._mono() + (pause if sent else self._follow_s)

    def _watch(self) -> None:
        while not self._stop.wait(TICK_S):
            up = self._link.connected
            with self._lock:
                self._drop_lapsed()
                for name, desire in self._desires.items():
                    self._follow_up(self._actuators[name], desire, up and not self._was_up)
                for device in [
                    d for d, at in self._wrong_at.items() if self._mono() > at + CLEAN_S
                ]:
                    del self._wrong_at[device]
                    self._judge(device)
            self._was_up = up

    def _drop_lapsed(self) -> None:
        now = self._wall()
        self._desires = {name: d for name, d in self._desires.items() if d.until > now}

    def _follow_up(self, actuator: MqttActuator, desire: _Desire, came_up: bool) -> None:
        if came_up:
            desire.tries = 0
            self._send(actuator, desire)
        elif self._link.connected and not self._settled(actuator, desire):
            if self._mono() < desire.due:
                return
            if desire.tries >= TRIES:
                reason = f"{actuator.name} does not follow after {TRIES} tries"
                self._health[actuator.device].degraded(reason)
            self._send(actuator, desire)

    def _on_state(self, topic: str, payload: bytes, _retained: bool) -> None:
        device = topic.rpartition("/")[2]
        if self._stop.is_set() or device not in self._health:
            return
        with self._lock:
            if not self._rate[device].allow():
                REPORTS.labels("flooded").inc()
                return
            try:
                message = _decoder.decode(payload)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                REPORTS.labels("malformed").inc()
                self._wrong(device, "reports what is no state of a device")
                return
            REPORTS.labels("taken").inc()
            self._take(device, message)

    def _take(self, device: str, message: DeviceMessage) -> None:
        for actuator in self._actuators.values():
            level = level_of(actuator.field, message) if actuator.device == device else None
            if level is None:
                continue
            if not plausible(actuator.field, level):
                self._wrong(device, f"reports an impossible {actuator.field}")
                continue
            desire = self._desires.get(actuator.name)
            had_followed = desire is not None and self._settled(actuator, desire)
            self._levels[actuator.name] = level
            self._tell(actuator, desire, level)
            if desire is not None and self._settled(actuator, desire):
                desire.tries = 0
            elif desire is not None and had_followed:
                # Perhaps a hand has set it: the room decides first whether that holds.
                desire.due = max(desire.due, self._mono() + self._follow_s)
        self._judge(device)

    def _wrong(self, device: str, reason: str) -> None:
        self._wrong_at[device] = self._mono()
        self._health[device].degraded(reason)

    def _judge(self, device: str) -> None:
        """Call a device well when it reports nothing wrong and all it should follow, it does."""
        names = [a.name for a in self._actuators.values() if a.device == device]
        stuck = any(d.tries > TRIES for name in names if (d := self._desires.get(name)))
        if device not in self._wrong_at and not stuck:
            self._health[device].ok()

    def _tell(self, actuator: MqttActuator, desire: _Desire | None, level: float) -> None:
        value = from_device(actuator.field, level)
        if desire is not None and followed(actuator.field, desire.message, level):
            # The device rounds; the room's own figure says the same.
            value = desire.value
        if self._told.get(actuator.name) != value:
            self._told[actuator.name] = value
            self._post(DeviceReported(f"device:{actuator.device}", actuator.name, value))
