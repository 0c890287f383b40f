"""Keeps one device at what the room wants of it: connects, writes, reads back, again and again."""

import math
import threading
import time
from collections.abc import Callable, Sequence

import structlog
from prometheus_client import Counter

from edge.actuators.desires import TRIES, Desires
from edge.actuators.errors import ActuatorError, DeviceRefusedError
from edge.actuators.port import Port
from edge.contracts.base import Value
from edge.contracts.commands import Command
from edge.contracts.signals import DeviceReported, Signal
from edge.process.backoff import Backoff
from edge.process.reporter import HealthReporter
from edge.process.worker import Worker

log = structlog.get_logger()

WRITES = Counter(
    "roomkeeper_driver_writes",
    "Writes to devices by kind of driver and outcome: done, refused, lost, released.",
    ["driver", "outcome"],
)
FOLLOW_S = 2.0
BUSY_S = 0.1
CALM_S = 0.2
STABLE_S = 10.0
"""A connection that held this long is tried again at once; one that flaps is tried ever later."""


class Follower(Worker):
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
        super().__init__(name)
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
        self._read_at = self._last_read = -math.inf
        self._lock = threading.Lock()

    def poke(self) -> None:
        """Read the device soon: it said that something changed. From any thread."""
        # Not at once again and again: a device that chatters must not have it asked all day.
        self._read_at = min(self._read_at, self._last_read + CALM_S)
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
        self._last_read = self._mono()
        self._read_at = self._last_read + self._port.poll_s
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
            excuse = self._port.excuse(stuck[0]) or f"after {TRIES} tries"
            self._health.degraded(f"{stuck[0]} does not follow: {excuse}")
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
