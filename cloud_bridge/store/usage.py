"""What machines use: written by the reconciler's sampler, read by the admin page."""

from collections.abc import Collection, Iterable

from sqlalchemy import delete, select

from cloud_bridge.store.base import Store
from cloud_bridge.store.tables import usage
from cloud_bridge.types import Usage

KEPT_S = 3600.0


class UsageStore:
    """One row a machine, the latest look."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, found: Iterable[Usage], alive: Collection[str], now: float) -> None:
        """Write the latest looks down; forget machines that are long gone."""
        with self._store.begin() as connection:
            for one in found:
                connection.execute(
                    self._store.upsert(
                        usage,
                        key=one.key,
                        token=one.token,
                        at=one.at,
                        created=one.created,
                        cpu=one.cpu,
                        memory_mib=one.memory_mib,
                        network=one.network,
                        idle_since=one.idle_since,
                        cost_per_hour=one.cost_per_hour,
                    )
                )
            old = (usage.c.at < now - KEPT_S) & usage.c.key.not_in(list(alive))
            connection.execute(delete(usage).where(old))

    def usage(self) -> tuple[Usage, ...]:
        """Return the latest look at each machine."""
        with self._store.read() as connection:
            return tuple(Usage(*row) for row in connection.execute(select(usage)))
