"""Machines from OpenStack's Nova, where one host is outgrown: the project's list is the truth."""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

import structlog

from cloud_bridge.types import Capacity, Create, Machine
from cloud_bridge.vms.base import Limits, VmError, VmFullError, VmRefusedError
from cloud_bridge.vms.openstack_api import Cloud, Server, means_full
from cloud_bridge.vms.openstack_server import key_of, machine_of, rank, stranger
from cloud_bridge.vms.openstack_tag import (
    Tag,
    lease_of,
    metadata_of,
    new_tag,
    read_tag,
    server_name,
)

log = structlog.get_logger()

PATIENCE_S, POLL_S = 15.0, 0.2
"""How long a server is watched until a host has it, or until it is gone."""
BOOTS = 8
"""Nova spreads machines over its hosts: so many at once where the operator says nothing."""
UNLIMITED_MIB = 2**30
NO_NETWORK = "none"
LOCKS = 64

Held: TypeAlias = tuple[Server, Tag]
HeldList: TypeAlias = list[Held]
Servers: TypeAlias = list[Server]
Machines: TypeAlias = list[Machine]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a template is made of in this cloud: names or ids. port: of the guest's own page."""

    image: str
    flavor: str
    network: str
    port: int = 80
    security_groups: tuple[str, ...] = ()


class OpenStackProvider:
    """One project of the cloud `name`. owner: written on what is made; only what bears it is ours.

    Nova takes two creations of one name for two servers: the key stands in the metadata, servers
    are listed before one is made and after, and of two with one key the younger is removed.
    """

    def __init__(
        self,
        cloud: Cloud,
        owner: str,
        kinds: Mapping[str, Kind],
        limits: Limits,
        clock: Callable[[], float] = time.time,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._cloud = cloud
        self._owner = owner
        self._kinds = kinds
        self._limits = limits
        self._clock = clock
        self._patience_s = patience_s
        # Threads of one process do not race for a key; processes may, and find out afterwards.
        self._locks = tuple(threading.Lock() for _ in range(LOCKS))

    def ensure(self, spec: Create) -> Machine:
        """Return the machine with spec's key, begun now unless it exists.

        VmFullError: a quota is used up or no host has room; nothing is left of the attempt.
        """
        key = _uuid(spec.key)
        with self._locks[UUID(key).int % LOCKS]:
            held = self._held(key)
            if held is None:
                self._placed(self._create(spec), key)
                held = self._held(key)
        if held is None:
            raise VmError(f"machine {key}: gone as soon as it was begun: somebody ended it")
        server, tag = held
        if server.leaving:
            raise VmError(f"machine {key}: its end was asked for and Nova is still at it")
        return machine_of(server, tag)

    def list(self) -> Machines:
        """Return every server of the project, one a key; younger duplicates of ours are removed."""
        servers = self._cloud.servers()
        ours = self._by_key(servers)
        mine = {server.id for held in ours.values() for server, _ in held}
        machines = [stranger(server) for server in servers if server.id not in mine]
        return machines + [machine_of(*self._eldest(key, held)) for key, held in ours.items()]

    def renew(self, key: str, until: float) -> None:
        """Set the end of the lease on the server itself."""
        held = self._held(_uuid(key))
        if held is None or held[0].leaving:
            raise VmError(f"machine {key}: gone, its lease cannot be renewed")
        self._cloud.write(held[0].id, lease_of(until))

    def delete(self, key: str) -> None:
        """End the machine and wait until it is gone; VmError when Nova does not get to it."""
        ours, strangers = self._bearing(_uuid(key))
        if strangers and not ours:
            raise _not_ours(key)
        for server, _ in ours:
            self._cloud.delete(server.id)
        deadline = time.monotonic() + self._patience_s
        for server, _ in ours:
            self._gone(key, server.id, deadline)

    def capacity(self) -> Capacity:
        """Return the project's quota less what strangers use of it, at most what is configured."""
        absolute, limits = self._cloud.limits(), self._limits
        servers = self._cloud.servers()
        mine = [s for held in self._by_key(servers).values() for s, _ in held]
        ram = sum(server.flavor.ram for server in mine)
        cores = sum(server.flavor.vcpus for server in mine)
        memory = _free(absolute.ram, absolute.ram_used, ram)
        vcpus = _free(absolute.cores, absolute.cores_used, cores)
        return Capacity(
            _least(memory, limits.memory_mib, UNLIMITED_MIB),
            limits.boots or BOOTS,
            # No cores left is not "any number": Nova itself refuses then.
            0 if vcpus is None and not limits.vcpus else max(1, _least(vcpus, limits.vcpus, 1)),
            limits.gpus,
            limits.per_owner,
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._cloud.close()

    def _create(self, spec: Create) -> str:
        body = self._body(spec)
        server_id = self._cloud.create(body)
        log.info("server asked for", key=spec.key, server=server_id)
        return server_id

    def _body(self, spec: Create) -> dict[str, Any]:
        kind = self._kinds.get(spec.template.name)
        if kind is None:
            raise VmRefusedError(
                f"template {spec.template.name!r} has no image, flavor and network in the "
                f"configuration: add [templates.{spec.template.name}.openstack]"
            )
        tag = new_tag(self._owner, spec, self._clock(), secrets.token_hex(16), kind.port)
        try:
            metadata = metadata_of(tag)
        except ValueError as error:
            raise VmRefusedError(f"machine {spec.key}: {error}") from None
        body: dict[str, Any] = {
            "name": server_name(spec.key),
            "metadata": metadata,
            "imageRef": self._cloud.image(kind.image),
            "flavorRef": self._flavor(spec, kind.flavor),
            # The guest reads its key and token here: it need not reach any network for that.
            "config_drive": True,
        }
        if kind.network == NO_NETWORK:
            body["networks"] = NO_NETWORK
        else:
            body["networks"] = [{"uuid": self._cloud.network(kind.network)}]
        if kind.security_groups:
            body["security_groups"] = [{"name": name} for name in kind.security_groups]
        return body

    def _flavor(self, spec: Create, name: str) -> str:
        """Return the flavor's id; refused when admission reckons with another size."""
        template = spec.template
        id_, size = self._cloud.flavor(name)
        if (size.ram, size.vcpus) != (template.memory_mib, template.vcpus):
            raise VmRefusedError(
                f"template {template.name!r} says {template.memory_mib} MiB and {template.vcpus} "
                f"vCPU, flavor {name!r} has {size.ram} and {size.vcpus}: make them equal"
            )
        return id_

    def _placed(self, id_: str, key: str) -> None:
        """Return once a host has the server; end it and say why when none takes it."""
        deadline = time.monotonic() + self._patience_s
        while (server := self._cloud.server(id_)) is not None:
            if server.status == "ERROR":
                self._cloud.delete(id_)
                told = f"machine {key}: Nova does not start it: {server.fault.message[:300]}"
                raise VmFullError(told) if means_full(server.fault.message) else VmError(told)
            # With its address: the reconciler asks there whether it is ready.
            if server.status != "BUILD" or server.addresses or time.monotonic() > deadline:
                return
            time.sleep(POLL_S)

    def _gone(self, key: str, id_: str, deadline: float) -> None:
        while (server := self._cloud.server(id_)) is not None:
            if server.status in ("DELETED", "SOFT_DELETED"):
                return
            if time.monotonic() > deadline:
                raise VmError(
                    f"machine {key}: its end was asked for, and Nova has not done it within "
                    f"{self._patience_s:g} s (server {id_} is {server.status}/{server.task}): "
                    "nova-compute of its host may be away; it ends when that is back"
                )
            time.sleep(POLL_S)

    def _held(self, key: str) -> Held | None:
        """Return our server with this key; VmRefusedError when only a stranger has it."""
        ours, strangers = self._bearing(key)
        if not ours and strangers:
            raise _not_ours(key)
        return self._eldest(key, ours) if ours else None

    def _bearing(self, key: str) -> tuple[HeldList, Servers]:
        """Return our servers with this key, and others' that bear it or have it for an id."""
        servers = self._cloud.servers()
        ours = self._by_key(servers).get(key, [])
        mine = {server.id for server, _ in ours}
        bearing = [s for s in servers if key in (s.id, key_of(s)) and s.id not in mine]
        return ours, bearing

    def _by_key(self, servers: Iterable[Server]) -> dict[str, HeldList]:
        held: dict[str, HeldList] = {}
        for server in servers:
            tag = read_tag(server.metadata or {})
            if tag is not None and tag.owner == self._owner:
                held.setdefault(tag.key, []).append((server, tag))
        return held

    def _eldest(self, key: str, held: HeldList) -> Held:
        """Return the one that counts: every observer names the same; the others are ended."""
        first, *younger = sorted(held, key=lambda each: rank(each[0]))
        for server, _ in younger:
            if server.leaving:
                continue
            log.warning("second machine removed", key=key, server=server.id, kept=first[0].id)
            try:
                self._cloud.delete(server.id)
            except VmError as error:
                log.warning("second machine stays", key=key, server=server.id, error=str(error))
        return first


def _free(total: int, used: int, ours: int) -> int | None:
    """Return what is ours of a quota: all of it less what others use; None when unlimited."""
    return None if total < 0 else max(0, total - max(0, used - ours))


def _least(quota: int | None, limit: int, otherwise: int) -> int:
    """Return the smaller of a quota (None: none) and what is configured (0: nothing)."""
    return min((each for each in (quota, limit or None) if each is not None), default=otherwise)


def _uuid(key: str) -> str:
    try:
        return str(UUID(key))
    except ValueError:
        raise VmRefusedError(f"machine key {key!r} is no UUID") from None


def _not_ours(key: str) -> VmRefusedError:
    return VmRefusedError(f"machine {key}: a machine of that id is not ours, left alone")
