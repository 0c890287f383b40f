"""The loop: on every change and every few seconds it plans, hands out actions, tells the rooms."""

import threading
import time
from collections.abc import Callable, Mapping

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from cloud_bridge import status
from cloud_bridge.plan import plan
from cloud_bridge.reconcile.acts import Acts
from cloud_bridge.reconcile.ages import Ages
from cloud_bridge.reconcile.census import census, remembered
from cloud_bridge.reconcile.clock import Clock
from cloud_bridge.reconcile.readiness import Readiness
from cloud_bridge.reconcile.workers import Workers
from cloud_bridge.store import MachineStore, RecordStore, StoreError
from cloud_bridge.types import Machine, Plan, Records, Template, Wanted
from cloud_bridge.vms.answers import answers
from cloud_bridge.vms.base import Provider, VmError
from edge.contracts import topics
from edge.contracts.base import Now
from edge.contracts.wire import MachinesMessage
from edge.process.backoff import Backoff
from edge.process.link import Link

log = structlog.get_logger()

CYCLE = Histogram("roomkeeper_reconcile_cycle_seconds", "Time of one comparison.")
MACHINES = Gauge("roomkeeper_machines", "Machines, by phase.", ["phase"])
TROUBLES = Counter("roomkeeper_reconcile_troubles", "Comparisons that failed, by where.", ["where"])

POLL_S, PERIOD_S = 0.2, 3.0
SILENT_S = 60.0
PHASES = ("creating", "booting", "ready", "ending", "dead")


class Reconciler:
    """One reconciler; `owner` tells it from others that share the store. Thread "reconcile"."""

    def __init__(
        self,
        owner: str,
        provider: Provider,
        store: MachineStore,
        records: RecordStore,
        link: Link,
        templates: Mapping[str, Template],
        clock: Clock | None = None,
        workers: int = 4,
        ready: Callable[[Machine], bool] = answers,
    ) -> None:
        self._owner = owner
        self._provider = provider
        self._store = store
        self._records = records
        self._link = link
        self._templates = templates
        self._clock = clock or Clock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._again = threading.Event()
        self._readiness = Readiness(self._wake.set, ready)
        self._ages = Ages()
        acts = Acts(owner, provider, store, records, self._clock.now)
        self._workers = Workers(workers, acts.do, self._wake.set)
        self._told: dict[str, MachinesMessage] = {}
        self._stamp: tuple[object, ...] = ()
        self._booting: dict[str, float] = {}
        """Token -> when a machine was begun that we saw boot and did not see answer yet."""
        self._due_mono = 0.0
        self._trouble = "not started"
        self._last = time.monotonic()
        self._backoff = Backoff(first=0.2, cap=5.0)
        # The hypervisor's client cannot be interrupted: see Workers.
        self._thread = threading.Thread(target=self._run, name="reconcile", daemon=True)
        link.when_up(self._link_up)

    def start(self) -> None:
        """Begin to compare; what an earlier run of the same owner claimed is free again."""
        self._readiness.start()
        self._workers.start()
        self._thread.start()

    def stop(self) -> None:
        """End within 2 s; a machine that is starting goes on and is found again."""
        self._stop.set()
        self._wake.set()
        self._readiness.stop()
        self._workers.stop(0.5)
        if self._thread.is_alive():
            self._thread.join(0.5)

    def status(self) -> dict[str, object]:
        """Return health: well while connected and comparing."""
        alive = time.monotonic() - self._last < SILENT_S
        return {
            "ok": self._link.connected and not self._trouble and alive,
            "broker": self._link.connected,
            "trouble": self._trouble,
            "busy": len(self._workers.busy()),
        }

    def _link_up(self) -> None:
        self._again.set()
        self._wake.set()

    def _run(self) -> None:
        started = False
        while not self._stop.is_set():
            try:
                if not started:
                    self._store.release(self._owner)
                    self._told = self._store.reports()
                    started = True
                self._compare()
                self._well()
                self._sleep()
            except (StoreError, VmError, msgspec.MsgspecError) as error:
                self._suffer(type(error).__name__, str(error))
            except Exception as error:
                log.exception("comparison failed")
                self._suffer("bug", repr(error))

    def _sleep(self) -> None:
        """Return when something changed, is due, or a period has passed."""
        period_end = time.monotonic() + PERIOD_S
        while not self._wake.wait(POLL_S):
            now = time.monotonic()
            if now >= min(period_end, self._due_mono):
                return
            if self._seen() != self._stamp:
                return

    def _compare(self) -> None:
        with CYCLE.time():
            self._wake.clear()
            self._stamp = self._seen()
            machines = self._census()
            now = self._clock.now()
            wanted = self._store.wanted()
            written = self._written(wanted, now)
            planned = plan(
                wanted,
                machines,
                written,
                self._templates,
                self._provider.capacity(),
                now,
            )
            self._due_mono = now.mono + max(0.0, planned.next_due - now.wall)
            self._tell(planned, status.expected(machines, written.boots), now.wall)
            for action in planned.actions:
                if not self._stop.is_set():
                    self._workers.give(action)

    def _seen(self) -> tuple[object, ...]:
        """Return what changes when a room wants something else or a person answered."""
        return (*self._store.wanted_stamp(), *self._records.approvals())

    def _written(self, wanted: Wanted, now: Now) -> Records:
        """Return what was written down that the plan rests on."""
        return Records(
            tuple(self._store.attempts()),
            self._records.approvals(),
            self._records.boots(),
            self._records.heard({row.key for _, row in wanted.rows}, now.wall),
            self._records.pools(),
        )

    def _census(self) -> list[Machine]:
        # Asked before the list: what is done meanwhile is in the list, or found the next time.
        busy = self._workers.busy()
        now = self._clock.now()
        written = self._store.intended()
        elsewhere = self._store.claimed_by_others(self._owner, now.wall)
        listed = self._ages.steady(self._provider.list(), now)
        notes = {note.machine.key: note for note in written}
        ours = [machine for machine in listed if machine.ours and machine.phase == "booting"]
        self._readiness.watch(remembered(machine, notes.get(machine.key)) for machine in ours)
        machines = census(listed, written, busy, elsewhere, self._readiness, self._templates, now)
        self._time_boots(machines, now)
        for machine in machines:
            note = notes.get(machine.key)
            fresh = note is None or not note.begun or note.machine.token != machine.token
            became_ready = note is not None and note.machine.phase != machine.phase == "ready"
            settled = machine.phase in ("booting", "ready") and machine.key not in busy
            if machine.ours and settled and (fresh or became_ready):
                self._store.intend(machine, begun=True, at=now.wall)
                if machine.phase == "ready":
                    self._records.pool_answers(machine.template)
        for phase in PHASES:
            count = sum(machine.ours and machine.phase == phase for machine in machines)
            MACHINES.labels(phase).set(count)
        return machines

    def _time_boots(self, machines: list[Machine], now: Now) -> None:
        """Note how long each boot took that we saw begin, until it answered or was given up."""
        for machine in machines:
            if not machine.ours:
                continue
            if machine.phase == "booting":
                self._booting[machine.token] = machine.created
            elif machine.phase in ("ready", "dead", "ending"):
                began = self._booting.pop(machine.token, None)
                if began is not None and now.trusted:
                    self._records.booted(machine.template, max(0.0, now.wall - began), now.wall)
        here = {machine.token for machine in machines}
        self._booting = {token: at for token, at in self._booting.items() if token in here}

    def _tell(self, planned: Plan, likely: Mapping[str, float], wall: float) -> None:
        changed = status.messages(planned.standings, self._told, wall, likely)
        if self._again.is_set():
            self._again.clear()
            changed = {**self._told, **changed}
        for room, message in changed.items():
            self._log_changes(room, message)
            self._store.set_report(message)
            self._told[room] = message
            topic = topics.MACHINES.name(room=room)
            if not self._link.publish(topic, msgspec.json.encode(message), retain=True):
                self._again.set()

    def _log_changes(self, room: str, message: MachinesMessage) -> None:
        before = {r.key: r for r in self._told[room].machines} if room in self._told else {}
        for report in message.machines:
            old = before.get(report.key)
            if old is None or old.phase != report.phase:
                log.info(
                    "machine is now",
                    room=room,
                    key=report.key,
                    phase=report.phase,
                    detail=report.detail,
                    address=report.address,
                )

    def _well(self) -> None:
        if self._trouble:
            log.info("comparing")
        self._trouble = ""
        self._last = time.monotonic()
        self._backoff.reset()

    def _suffer(self, where: str, reason: str) -> None:
        TROUBLES.labels(where).inc()
        if reason != self._trouble:
            log.error("cannot compare, tried again", reason=reason)
        self._trouble = reason
        self._stop.wait(self._backoff.next())
