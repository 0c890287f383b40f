"""One action carried out: claimed, written down, done, recorded. Each is idempotent."""

from collections.abc import Callable

import structlog
from prometheus_client import Counter

from cloud_bridge.plan import crowded, failed, pool_failed
from cloud_bridge.store import MachineStore, RecordStore
from cloud_bridge.types import (
    Action,
    Ask,
    Attempt,
    Create,
    Delete,
    Forget,
    GiveUp,
    Lapse,
    Machine,
    Renew,
)
from cloud_bridge.vms.base import Provider, VmError, VmFullError
from edge.contracts.base import Now

log = structlog.get_logger()

FAILED = Counter("roomkeeper_machine_failures", "Attempts at machines that failed.")
CLAIM_S = 30.0
"""A reconciler that died holds a key this long at most."""


class Acts:
    """Carries actions out for `owner`; VmError of a creation becomes a row, others are raised."""

    def __init__(
        self,
        owner: str,
        provider: Provider,
        store: MachineStore,
        records: RecordStore,
        now: Callable[[], Now],
    ) -> None:
        self._owner = owner
        self._provider = provider
        self._store = store
        self._records = records
        self._now = now

    def do(self, action: Action) -> None:
        """Carry out one action, unless another reconciler is at its key."""
        key = action.key
        if not self._store.claim(key, self._owner, self._now().wall, CLAIM_S):
            return
        try:
            self._act(action)
        finally:
            self._store.release(self._owner, key)

    def _act(self, action: Action) -> None:
        match action:
            case Create():
                self._create(action)
            case Renew(key, until):
                self._provider.renew(key, until)
                log.info("machine renewed", key=key, until=until)
            case Delete():
                self._delete(action)
            case GiveUp(key, reason):
                now = self._now()
                self._store.set_attempt(self._attempt(key, now, reason, given_up=True))
                log.error("machine given up", key=key, reason=reason)
            case Forget(key):
                self._store.forget_attempts(key)
            case Ask():
                self._records.ask(action, self._now().wall)
                log.info(
                    "a person is asked", key=action.key, meeting=action.meeting, cost=action.cost
                )
            case Lapse(key):
                self._records.lapse(key, self._now().wall)
                log.warning("nobody said yes in time", key=key)

    def _create(self, spec: Create) -> None:
        now = self._now()
        self._store.intend(intended(spec, now.wall), begun=False, at=now.wall)
        try:
            machine = self._provider.ensure(spec)
        except VmFullError as error:
            log.warning("no room for a machine", key=spec.key, reason=str(error))
            before = self._before(spec.key)
            self._store.set_attempt(crowded(before, spec.key, str(error), self._now()))
            self._store.cross_out(spec.key)
            return
        except VmError as error:
            self._count_failure(spec.key, spec.template.name, str(error))
            self._store.cross_out(spec.key)
            return
        self._store.intend(machine, begun=True, at=now.wall)
        log.info("machine begun", key=spec.key, meeting=spec.meeting, until=spec.until)

    def _delete(self, action: Delete) -> None:
        self._provider.delete(action.key)
        if action.failed:
            written = {note.machine.key: note.machine for note in self._store.intended()}
            known = written.get(action.key)
            self._count_failure(action.key, known.template if known else "", action.reason)
        self._store.cross_out(action.key)
        log.info("machine ended", key=action.key, reason=action.reason, failed=action.failed)

    def _count_failure(self, key: str, template: str, reason: str) -> None:
        """Make the key wait, and its template once that has failed more often."""
        FAILED.inc()
        log.warning("machine failed", key=key, reason=reason)
        self._store.set_attempt(failed(self._before(key), key, reason, self._now()))
        if template:
            pools = {pool.template: pool for pool in self._records.pools()}
            pool = pool_failed(pools.get(template), template, reason, self._now())
            self._records.set_pool(pool)

    def _attempt(self, key: str, now: Now, reason: str, *, given_up: bool) -> Attempt:
        before = self._before(key)
        attempts = 0 if before is None else before.attempts
        return Attempt(key, attempts, now.wall, given_up, reason)

    def _before(self, key: str) -> Attempt | None:
        return {attempt.key: attempt for attempt in self._store.attempts()}.get(key)


def intended(spec: Create, wall: float) -> Machine:
    """Return the machine as it is written down before it is made."""
    template = spec.template
    return Machine(
        spec.key,
        spec.meeting,
        spec.rooms,
        template.name,
        "creating",
        spec.until,
        wall,
        template.memory_mib,
        template.grace_s,
    )
