"""Keeps one device at what the room wants of it: connects, writes, reads back, again and again."""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog
from prometheus_client import Counter

from edge.actuators.desires import TRIES, Desires
from edge.actuators.errors import ActuatorError, DeviceRefusedError
from edge.contracts.base import Value
from edge.contracts.commands import Command
from edge.contracts.signals import DeviceReported, Signal
from edge.process.backoff import Backoff
from edge.process.reporter import HealthReporter

log = structlog.get_logger()

WRITES = Counter(
    "roomkeeper_driver_writes",
    "Writes to devices by kind of driver and outcome: done, refused, lost, released.",
    ["driver", "outcome"],
)
FOLLOW_S = 2.0
BUSY_S = 0.1
STABLE_S = 10.0
"""A connection that held this long is tried again at once; one that flaps is tried ever later."""


class Port(Protocol):
    """One device and how to speak to it; called by one thread. No call may take over a second.

    Every method may raise DeviceLostError; `write` and `relinquish` DeviceRefusedError as well.
    """

    lazy: bool
    """Whether a value that the device already reports needs no write."""
    poll_s: float
    """How often it is read when nothing else happens."""

    def open(self) -> None:
        """Connect; what was open before is closed."""
        ...

    def close(self) -> None:
        """Let go of the device; also after a failed `open`, also twice."""
        ...

    def write(self, actuator: str, value: Value) -> None:
        """Bring an actuator to a value; raise DeviceRefusedError when the device says no."""
        ...

    def relinquish(self, actuator: str) -> None:
        """Leave an actuator to others; devices that know no such thing stay as they are."""
        ...

    def read(self) -> Mapping[str, Value | None]:
        """Return what the actuators are; None: at none of their values; left out: unknown."""
        ...

    def busy(self, actuator: str, value: Value) -> bool:
        """Whether a write has to wait: it moves, or something else comes first."""
        ...

    def same(self, actuator: str, wanted: Value, told: Value) -> bool:
        """Whether a device that reports `told` follows `wanted`."""
        ...

    def fault(self) -> str:
        """Return what the device itself says is wrong with it, "" when nothing."""
        ...


class Follower:
    """Thread `name`: holds one device at the desires of its actuators while their leases last.

    Posts DeviceReported for each change and the health of `device:<device>`. The thread is a
    daemon: a library's call that hangs cannot be interrupted.
    """

    def __init__(
        self,
        name: str,
        device: str,
        actuators: Sequence[str],
        port: Port,
        post: Callable[[Signal], None],
        *,
        follow_s: float = FOLLOW_S,
        backoff: Backoff | None = None,
        wall: Callable[[], float] = time.time,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self.actuators = tuple(actuators)
        self._kind = name.split(":")[1]
        self._device = device
        self._port = port
        self._post = post
        self._wall = wall
        self._mono = mono
        self._backoff = backoff or Backoff()
        self._health = HealthReporter(f"device:{device}", post)
        self._desires = Desires(follow_s, port.same, lazy=port.lazy)
        self._refusals: dict[str, str] = {}
        self._held: set[str] = set()
        self._free: set[str] = set()
        self._read_at = -math.inf
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """End within a second."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(0.9)

    def poke(self) -> None:
        """Read the device soon: it said that something changed. From any thread."""
        self._read_at = -math.inf
        self._wake.set()

    def apply(self, command: Command) -> None:
        """Take a desired state on, from any thread, without waiting."""
        with self._lock:
            self._desires.want(command.actuator, command.value, command.until, self._mono())
            self._free.discard(command.actuator)
            self._refusals.pop(command.actuator, None)
        self._wake.set()

    def release(self, actuator: str) -> None:
        """Want nothing of an actuator any more."""
        with self._lock:
            self._let_go([actuator] if self._desires.drop(actuator) else [])
        self._wake.set()

    def _let_go(self, actuators: Sequence[str]) -> None:
        self._free.update(self._held.intersection(actuators))
        for actuator in actuators:
            self._refusals.pop(actuator, None)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = self._mono()
            try:
                self._session()
            except ActuatorError as error:
                reason = str(error)
            except Exception as error:
                log.exception("driver failed", device=self._device)
                reason = f"internal error {type(error).__name__}: see the log"
            else:
                reason = ""
            self._port.close()
            if self._stop.is_set():
                return
            WRITES.labels(self._kind, "lost").inc()
            self._health.lost(reason)
            if self._mono() - began > STABLE_S:
                self._backoff.reset()
            self._stop.wait(self._backoff.next())

    def _session(self) -> None:
        self._port.open()
        self._read_at = -math.inf
        with self._lock:
            self._desires.again(self._mono())
        while not self._stop.is_set():
            self._wake.clear()
            self._write()
            if self._mono() >= self._read_at:
                self._read()
            self._judge()
            self._wake.wait(self._pause())
        self._farewell()

    def _write(self) -> None:
        now = self._mono()
        with self._lock:
            self._let_go(self._desires.lapsed(self._wall()))
            free = sorted(self._free)
            due = self._desires.due(now)
        for actuator in free:
            self._relinquish(actuator)
        for actuator, value in due:
            if self._stop.is_set():
                return
            if not self._port.busy(actuator, value):
                self._say(actuator, value)

    def _say(self, actuator: str, value: Value) -> None:
        refusal = ""
        try:
            self._held.add(actuator)
            self._port.write(actuator, value)
        except DeviceRefusedError as error:
            refusal = str(error)
        WRITES.labels(self._kind, "refused" if refusal else "done").inc()
        with self._lock:
            self._desires.wrote(actuator, value, self._mono())
            if refusal:
                self._refusals[actuator] = refusal
            else:
                self._refusals.pop(actuator, None)
        self._read_at = -math.inf

    def _relinquish(self, actuator: str) -> None:
        try:
            self._port.relinquish(actuator)
        except DeviceRefusedError as error:
            log.warning("not relinquished", actuator=actuator, reason=str(error))
        WRITES.labels(self._kind, "released").inc()
        self._held.discard(actuator)
        with self._lock:
            self._free.discard(actuator)
        self._read_at = -math.inf

    def _read(self) -> None:
        # Set first: what asks for another look while this one lasts gets it.
        self._read_at = self._mono() + self._port.poll_s
        told = self._port.read()
        with self._lock:
            news = self._desires.report(told, self._mono())
        for actuator, value in news.items():
            self._post(DeviceReported(f"device:{self._device}", actuator, value))

    def _judge(self) -> None:
        with self._lock:
            slow = self._desires.stuck()
            refusals = [f"{name}: {reason}" for name, reason in sorted(self._refusals.items())]
        stuck = [name for name, value in slow if not self._port.busy(name, value)]
        if fault := self._port.fault():
            self._health.degraded(fault)
        elif refusals:
            self._health.degraded(refusals[0])
        elif stuck:
            self._health.degraded(f"{stuck[0]} does not follow after {TRIES} tries")
        else:
            self._health.ok()

    def _pause(self) -> float:
        with self._lock:
            wait = self._desires.wait_s(self._wall(), self._mono())
            due = self._desires.due(self._mono())
        soon = max(wait, BUSY_S) if any(self._port.busy(n, v) for n, v in due) else wait
        return max(0.0, min(soon, self._read_at - self._mono(), self._port.poll_s))

    def _farewell(self) -> None:
        """On the way out, what is held by priority is given back to the building."""
        try:
            for actuator in sorted(self._held):
                self._port.relinquish(actuator)
        except ActuatorError as error:
            log.info("not relinquished at the end", device=self._device, reason=str(error))


class DeviceDriver:
    """A driver of one kind: one follower for each device, so that none waits for another."""

    def __init__(self, name: str, followers: Sequence[Follower]) -> None:
        self.name = name
        self._followers = followers
        self._by_actuator = {a: f for f in followers for a in f.actuators}
        self.actuators = tuple(self._by_actuator)

    def start(self) -> None:
        """Begin to follow every device."""
        for follower in self._followers:
            follower.start()

    def stop(self) -> None:
        """End every follower, all at once, within a second."""
        stoppers = [threading.Thread(target=f.stop, daemon=True) for f in self._followers]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join(1.0)

    def apply(self, command: Command) -> None:
        """Hand a command to the device of its actuator."""
        follower = self._by_actuator.get(command.actuator)
        if follower is not None:
            follower.apply(command)

    def release(self, actuator: str) -> None:
        """Want nothing of an actuator any more."""
        follower = self._by_actuator.get(actuator)
        if follower is not None:
            follower.release(actuator)
