"""What machines use of their host: read where they run, by whichever way their provider has."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import libvirt

from cloud_bridge.vms.base import VmError

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
NS = 1e9


@dataclass(frozen=True, slots=True)
class Used:
    """One machine so far. cpu_s: processor time since it began; memory_mib: of the host, now.

    network: bytes in and out together, None where nobody counts them.
    """

    key: str
    cpu_s: float
    memory_mib: int
    network: int | None = None


@runtime_checkable
class Metered(Protocol):
    """A provider that can tell."""

    def used(self) -> Sequence[Used]:
        """Return what each machine of ours has used, those left out that cannot be read now."""
        ...


def of_domains(conn: "libvirt.virConnect", keys: dict[str, str]) -> list[Used]:
    """Return what libvirt says of these domains. keys: domain's name -> machine's key."""
    kinds = (
        libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
        | libvirt.VIR_DOMAIN_STATS_BALLOON
        | libvirt.VIR_DOMAIN_STATS_INTERFACE
    )
    try:
        told = conn.getAllDomainStats(kinds, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE)
    except libvirt.libvirtError as error:
        raise VmError(f"libvirt does not tell what its machines use: {error}") from error
    found = []
    for domain, stats in told:
        try:
            key = keys.get(domain.name())
        except libvirt.libvirtError:
            continue
        if key is not None and "cpu.time" in stats:
            memory = int(stats.get("balloon.rss", 0)) // 1024
            found.append(Used(key, stats["cpu.time"] / NS, memory, _network(stats)))
    return found


def of_process(key: str, pid: int) -> Used | None:
    """Return what a machine's process on this host has used; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return Used(key, (int(fields[11]) + int(fields[12])) / TICKS, resident * PAGE // 2**20)


def _network(stats: dict[str, int]) -> int | None:
    count = int(stats.get("net.count", 0))
    if not count:
        return None  # a user network made by hand: libvirt does not know of it
    names = [f"net.{n}.{way}.bytes" for n in range(count) for way in ("rx", "tx")]
    return sum(int(stats.get(name, 0)) for name in names)
