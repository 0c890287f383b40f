"""Whole PCI devices for a guest (VFIO): which there are, which are lent, which one it gets.

A device belongs to one machine at a time. Who holds it is read from the machines themselves, so
it is free again when its machine is gone, whoever ended it.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass

import libvirt

from cloud_bridge.vms.base import VmError, VmFullError, VmRefusedError

BRIDGE = 0x06
PCI = libvirt.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a PCI device sits; as text: 0000:65:00.0."""

    domain: int
    bus: int
    slot: int
    function: int

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function:x}"


@dataclass(frozen=True, slots=True)
class Device:
    """A PCI device of the host. kind: vendor:product; group: who goes with it, itself too."""

    address: Address
    kind: str
    base_class: int
    group: frozenset[Address]


def pick(conn: "libvirt.virConnect", kind: str, count: int) -> tuple[Address, ...]:
    """Return what to lend for `count` free devices of `kind`, with all that goes with each.

    Raises VmFullError while too few are free, VmRefusedError when the host has too few at all.
    """
    try:
        devices = {each.address: each for each in _devices(conn)}
        lent = _lent(conn)
    except libvirt.libvirtError as error:
        raise VmError(f"libvirt does not tell its host's devices: {error}") from error
    wanted = sorted(
        (each for each in devices.values() if each.kind == kind), key=lambda each: each.address
    )
    shut = [each for each in wanted if each.group]
    if wanted and not shut:
        raise VmRefusedError(
            f"GPU {kind} cannot be lent: it is in no IOMMU group; switch the IOMMU on "
            "(firmware, and intel_iommu=on on the host's kernel line)"
        )
    chosen: set[Address] = set()
    taken = 0
    for device in shut:
        if taken < count and not device.group & (lent | chosen):
            chosen |= {each for each in device.group if not _is_bridge(devices.get(each))}
            taken += 1
    if taken == count:
        return tuple(sorted(chosen))
    if len(shut) < count:
        raise VmRefusedError(f"{count} GPUs {kind} are wanted and this host has {len(shut)}")
    raise VmFullError(f"{count} GPUs {kind} are wanted, {taken} of {len(shut)} are free")


def _is_bridge(device: Device | None) -> bool:
    return device is not None and device.base_class == BRIDGE


def _devices(conn: "libvirt.virConnect") -> Iterable[Device]:
    for node in conn.listAllDevices(PCI):
        try:
            found = ET.fromstring(node.XMLDesc(0)).find("capability[@type='pci']")  # noqa: S314
        except libvirt.libvirtError:  # it was pulled out meanwhile
            continue
        if found is not None:
            yield _device(found)


def _device(found: ET.Element) -> Device:
    def number(path: str) -> int:
        return int(found.findtext(path) or "0", 0)

    address = Address(*(number(part) for part in ("domain", "bus", "slot", "function")))
    vendor, product = (_id(found, path) for path in ("vendor", "product"))
    group = frozenset(_address(each) for each in found.findall("iommuGroup/address"))
    return Device(address, f"{vendor:04x}:{product:04x}", number("class") >> 16, group)


def _id(found: ET.Element, path: str) -> int:
    element = found.find(path)
    return int(element.get("id", "0"), 0) if element is not None else 0


def _address(element: ET.Element) -> Address:
    parts = ("domain", "bus", "slot", "function")
    return Address(*(int(element.get(part, "0"), 0) for part in parts))


def _lent(conn: "libvirt.virConnect") -> frozenset[Address]:
    """Return what machines that run hold, whoever's they are."""
    found: set[Address] = set()
    for domain in conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
        try:
            root = ET.fromstring(domain.XMLDesc(0))  # noqa: S314 (libvirt's own output)
        except libvirt.libvirtError:  # it ended between the list and the question
            continue
        for each in root.findall("devices/hostdev[@type='pci']/source/address"):
            found.add(_address(each))
    return frozenset(found)
