"""Debian's installed cloud kernel: where it is, unpacked so that a guest need not unpack it."""

import struct
from dataclasses import dataclass
from pathlib import Path

from cloud_bridge.vms.guest.lz4 import MAGIC, decompress

SECTOR = 512


class KernelError(RuntimeError):
    """No usable kernel; the text says what was looked for and what to install."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """An installed kernel. modules: its folder under /lib/modules."""

    release: str
    image: Path
    modules: Path


def find(boot: Path = Path("/boot"), modules: Path = Path("/lib/modules")) -> Kernel:
    """Return the newest installed cloud kernel, or the newest of any kind; raise KernelError."""
    found = [
        Kernel(image.name.removeprefix("vmlinuz-"), image, modules / image.name[8:])
        for image in boot.glob("vmlinuz-*")
        if (modules / image.name[8:] / "modules.dep").is_file()
    ]
    if not found:
        raise KernelError(
            f"no kernel with modules in {boot} and {modules}: "
            "install Debian's linux-image-cloud-amd64"
        )
    return max(found, key=lambda kernel: ("cloud" in kernel.release, _version(kernel.release)))


def _version(release: str) -> tuple[int, ...]:
    digits = "".join(c if c.isdigit() else " " for c in release)
    return tuple(int(part) for part in digits.split())


def unpack(image: bytes) -> bytes:
    """Return the ELF kernel inside a bzImage, or the image itself when it is not LZ4."""
    if image[0x202:0x206] != b"HdrS":
        raise KernelError("the kernel image has no Linux boot header")
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * SECTOR + offset
    payload = image[start : start + length]
    if payload[:4] != MAGIC:
        return image
    elf = decompress(payload)
    return elf if elf[:4] == b"\x7fELF" else image
