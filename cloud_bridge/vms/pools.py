"""Several providers as one: each template has its own, and one that is away stops no other."""

import threading
from collections.abc import Mapping, Sequence

import structlog

from cloud_bridge.types import Capacity, Create, Machine
from cloud_bridge.vms.base import Provider, VmError
from cloud_bridge.vms.usage import Metered, Used

log = structlog.get_logger()

Machines = list[Machine]


class Pools:
    """Asks each of `providers`; the first one's host is the one whose room is counted.

    served: template -> name of its provider; what is not named is the first one's.
    """

    def __init__(self, providers: Mapping[str, Provider], served: Mapping[str, str]) -> None:
        self._providers = dict(providers)
        self._first = next(iter(self._providers))
        self._served = served
        self._last: dict[str, Machines] = {}
        self._away: set[str] = set()
        self._lock = threading.Lock()

    def ensure(self, spec: Create) -> Machine:
        """Return the machine with spec's key where it is, or begun now at its template's."""
        held = self._where(spec.key)
        name = held or self._served.get(spec.template.name, self._first)
        return self._providers[name].ensure(spec)

    def list(self) -> Machines:
        """Return every provider's machines; of one that is away, those it had when it last said."""
        found: Machines = []
        for name, provider in self._providers.items():
            found += self._listed(name, provider)
        return found

    def renew(self, key: str, until: float) -> None:
        """Set the end of the lease where the machine is."""
        name = self._where(key)
        if name is None:
            raise VmError(f"machine {key}: gone, its lease cannot be renewed")
        self._providers[name].renew(key, until)

    def delete(self, key: str) -> None:
        """Make the machine gone where it is; nothing happens when it is nowhere."""
        name = self._where(key)
        for each in [name] if name is not None else self._providers:
            self._providers[each].delete(key)

    def capacity(self) -> Capacity:
        """Return what may run on the first provider's host, which the others share."""
        return self._providers[self._first].capacity()

    def used(self) -> "Sequence[Used]":
        """Return what is known of each provider's machines; one that is away tells nothing."""
        found: list[Used] = []
        for provider in self._providers.values():
            if isinstance(provider, Metered):
                try:
                    found += provider.used()
                except VmError:
                    continue
        return found

    def close(self) -> None:
        """Let go of what each holds; machines live on."""
        for provider in self._providers.values():
            provider.close()

    def _where(self, key: str) -> str | None:
        """Return the name of the provider that has our machine, None when none says so."""
        for name, provider in self._providers.items():
            if any(each.key == key and each.ours for each in self._listed(name, provider)):
                return name
        return None

    def _listed(self, name: str, provider: Provider) -> Machines:
        try:
            machines = provider.list()
        except VmError as error:
            with self._lock:
                known = self._last.get(name)
                told = name in self._away
                self._away.add(name)
            if known is None:  # never heard of: whatever it has may be in use
                raise
            if not told:
                log.error(
                    "provider is away, its machines are left alone", name=name, why=str(error)
                )
            return known
        with self._lock:
            self._last[name] = machines
            if name in self._away:
                self._away.remove(name)
                log.info("provider is back", name=name)
        return machines
