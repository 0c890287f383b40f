"""The devices of a machine, as libvirt's XML."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

from cloud_bridge.vms.gpus import Address
from cloud_bridge.vms.image import Image, Local

CHANNEL = "ready.0"


def devices(root: ET.Element, image: Image, local: Local, emulator: str) -> None:
    """Add the devices: a line to say READY on; screen, disk and seed where there are any."""
    found = ET.SubElement(root, "devices")
    text(found, "emulator", emulator)
    ET.SubElement(found, "controller", type="usb", model="none")
    serial = ET.SubElement(found, "controller", type="virtio-serial", index="0")
    _placed(serial, image)
    channel = ET.SubElement(found, "channel", type="unix")
    if local.line is not None:
        ET.SubElement(channel, "source", mode="bind", path=str(local.line))
    ET.SubElement(channel, "target", type="virtio", name=CHANNEL)
    ET.SubElement(found, "serial", type="pty")
    if image.balloon:
        balloon = ET.SubElement(found, "memballoon", model="virtio", freePageReporting="on")
        _placed(balloon, image)
    else:
        ET.SubElement(found, "memballoon", model="none")
    if local.screen is not None:
        graphics = ET.SubElement(found, "graphics", type="vnc")
        ET.SubElement(graphics, "listen", type="socket", socket=str(local.screen))
        ET.SubElement(ET.SubElement(found, "video"), "model", type="vga", vram="16384")
    if local.disk is not None:
        _disk(found, image, local.disk, "qcow2", "vda")
    if local.seed is not None:
        ET.SubElement(_disk(found, image, local.seed, "raw", "vdb"), "readonly")


def lent(root: ET.Element, addresses: Iterable[Address]) -> None:
    """Add devices of the host that the machine has for itself; libvirt binds them to VFIO."""
    found = root.find("devices")
    if found is None:
        found = ET.SubElement(root, "devices")
    for address in addresses:
        device = ET.SubElement(found, "hostdev", mode="subsystem", type="pci", managed="yes")
        parts = {
            "domain": f"0x{address.domain:04x}",
            "bus": f"0x{address.bus:02x}",
            "slot": f"0x{address.slot:02x}",
            "function": f"0x{address.function:x}",
        }
        ET.SubElement(ET.SubElement(device, "source"), "address", parts)


def _disk(parent: ET.Element, image: Image, path: Path, kind: str, name: str) -> ET.Element:
    disk = ET.SubElement(parent, "disk", type="file", device="disk")
    ET.SubElement(disk, "driver", name="qemu", type=kind)
    ET.SubElement(disk, "source", file=str(path))
    ET.SubElement(disk, "target", dev=name, bus="virtio")
    _placed(disk, image)
    return disk


def _placed(device: ET.Element, image: Image) -> None:
    if image.board == "microvm":
        ET.SubElement(device, "address", type="virtio-mmio")


def text(parent: ET.Element, tag: str, value: str, **attributes: str) -> None:
    """Add an element that holds a text."""
    ET.SubElement(parent, tag, attributes).text = value
