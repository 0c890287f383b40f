"""What a service needs, looked at one by one, and what to do where it is missing."""

import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from cloud_bridge import assembly, chores
from cloud_bridge.config import CloudConfig, cloud_of
from cloud_bridge.store import Store, StoreError
from edge.process.toml import absent

DISK_MIB = 500
REMEDY = {
    "libvirt": "install libvirt-daemon-driver-qemu and start libvirtd, or correct [provider] uri",
    "openstack": "correct clouds.yaml, [provider] uri or the network on the way to it",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `remedy` says what to do when it is not well."""

    what: str
    well: bool
    detail: str
    remedy: str = ""


def examine(config: CloudConfig) -> list[Finding]:
    """Return a finding for broker, database, hypervisor, guests, images, screens and disk."""
    looks = (_broker, _store, _provider, _guests, _images, _screens, _disk)
    return [look(config) for look in looks]


def _broker(config: CloudConfig) -> Finding:
    where = f"{config.broker.host}:{config.broker.port}"
    try:
        socket.create_connection((config.broker.host, config.broker.port), timeout=3).close()
    except OSError as error:
        remedy = "start the broker, or correct [broker] host and port"
        return Finding("broker", False, f"{where}: {error}", remedy)
    return Finding("broker", True, where)


def _store(config: CloudConfig) -> Finding:
    try:
        store = Store(config.store.url)
        store.ping()
        store.close()
    except StoreError as error:
        return Finding("database", False, str(error), "correct [store] url, or start the database")
    return Finding("database", True, config.store.url.split("@")[-1])


def _provider(config: CloudConfig) -> Finding:
    name = "libvirt" if cloud_of(config.provider.uri) is None else "openstack"
    try:
        provider = assembly.provider_of(config)
        try:
            capacity = provider.capacity()
        finally:
            provider.close()
    except chores.VmError as error:
        return Finding(name, False, str(error), REMEDY[name])
    detail = f"{capacity.memory_mib} MiB for machines, {capacity.boots} start at once"
    return Finding(name, True, detail)


def _guests(_config: CloudConfig) -> Finding:
    how = chores.how_guests_run()
    return Finding("guests", bool(how), how, "install Debian's qemu-system-x86")


def _images(config: CloudConfig) -> Finding:
    missing = assembly.missing_images(config)
    remedy = f"run: roomkeeper-cloud image {config.guest}"
    return Finding("images", not missing, ", ".join(missing) or "all there", remedy)


def _screens(config: CloudConfig) -> Finding:
    wanted = sorted(name for name, each in config.templates.items() if each.screen)
    if not wanted:
        return Finding("screens", True, "no template has one")
    folder = Path(config.door.novnc) if config.door.novnc else None
    remedy = "install Debian's novnc and name its folder as [door] novnc, or take the screens away"
    if folder is None:
        return Finding("screens", False, f"{', '.join(wanted)}: the door has no noVNC", remedy)
    there = not absent(folder / "core" / "rfb.js")
    return Finding("screens", there, str(folder) if there else f"no noVNC in {folder}", remedy)


def _disk(config: CloudConfig) -> Finding:
    folder = Path(config.guest)
    while absent(folder, "folder") and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free // 2**20
    except OSError as error:
        remedy = f"name a folder on a disk that is there as guest, not {config.guest}"
        return Finding("disk", False, f"{folder}: {error.strerror}", remedy)
    return Finding("disk", free >= DISK_MIB, f"{free} MiB free", f"free {DISK_MIB} MiB")
