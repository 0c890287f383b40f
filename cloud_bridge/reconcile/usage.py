"""The sampler: what each machine uses and costs so far, and since when it has been idle."""

import threading
from collections.abc import Callable, Mapping

import structlog

from cloud_bridge.store import StoreError, UsageStore
from cloud_bridge.types import Machine, Template, Usage
from cloud_bridge.vms.base import Provider, VmError
from cloud_bridge.vms.usage import Metered, Used
from edge.contracts.base import Now

log = structlog.get_logger()

PERIOD_S = 15.0
SHORTEST_S = 1.0
IDLE_CPU = 0.02
"""A machine that takes less of one core is idle."""


class Sampler:
    """Looks every few seconds, on thread "usage"; what it cannot read is left as it was."""

    def __init__(
        self,
        provider: Provider,
        store: UsageStore,
        templates: Mapping[str, Template],
        now: Callable[[], Now],
    ) -> None:
        self._provider = provider
        self._store = store
        self._templates = templates
        self._now = now
        self._seen: dict[str, tuple[float, float]] = {}
        """Token -> processor time and monotonic instant of the look before."""
        self._trouble = ""
        self._stop = threading.Event()
        # The hypervisor's client cannot be interrupted.
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)

    def start(self) -> None:
        """Begin to look, where the provider can tell."""
        if isinstance(self._provider, Metered):
            self._thread.start()

    def stop(self) -> None:
        """End within 0.5 s."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(0.5)

    def look(self) -> None:
        """Look once; raise VmError or StoreError."""
        if not isinstance(self._provider, Metered):
            return
        machines = {one.key: one for one in self._provider.list() if one.ours}
        now = self._now()
        used = [(machines[one.key], one) for one in self._provider.used() if one.key in machines]
        before = {usage.key: usage for usage in self._store.usage()}
        found = [self._usage(machine, one, before, now) for machine, one in used]
        tokens = {machine.token for machine, _ in used}
        self._seen = {token: at for token, at in self._seen.items() if token in tokens}
        self._store.keep([usage for usage in found if usage is not None], set(machines), now.wall)

    def _usage(
        self, machine: Machine, used: Used, before: Mapping[str, Usage], now: Now
    ) -> Usage | None:
        last = self._seen.get(machine.token)
        if last is not None and now.mono - last[1] < SHORTEST_S:
            return None
        self._seen[machine.token] = (used.cpu_s, now.mono)
        cpu = -1.0 if last is None else max(0.0, used.cpu_s - last[0]) / (now.mono - last[1])
        known = before.get(machine.key)
        same = known is not None and known.token == machine.token
        idle = known.idle_since if same and known is not None else 0.0
        if cpu >= 0:
            idle = (idle or now.wall) if cpu < IDLE_CPU else 0.0
        template = self._templates.get(machine.template)
        return Usage(
            key=machine.key,
            token=machine.token,
            at=now.wall,
            created=machine.created,
            cpu=cpu,
            memory_mib=used.memory_mib,
            network=-1 if used.network is None else used.network,
            idle_since=idle,
            cost_per_hour=0.0 if template is None else template.cost_per_hour,
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
                self._trouble = ""
            except (VmError, StoreError) as error:
                if str(error) != self._trouble:
                    log.warning("what machines use is not known", reason=str(error))
                self._trouble = str(error)
            except Exception:
                log.exception("what machines use is not known")
            self._stop.wait(PERIOD_S)
