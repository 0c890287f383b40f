"""Builds the small guest: `python -m cloud_bridge.vms.guest.build OUT`. Needs no root."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from cloud_bridge.vms.guest import cpio
from cloud_bridge.vms.guest.kernel import Kernel, KernelError, find, unpack

MODULES = ("virtio_mmio", "virtio_pci", "virtio_console", "virtio_net")
APPLETS = ("sh", "mount", "insmod", "ip", "cat", "httpd", "setsid", "sleep")
FOLDERS = ("bin", "dev", "etc", "modules", "proc", "sys")
KERNEL, INITRAMFS, MANIFEST = "vmlinux", "initramfs", "manifest.json"
PACKED = "vmlinuz"
"""The kernel as it was installed: only so it learns of the screen that the firmware set up."""


def build(out: Path, kernel: Kernel | None = None, busybox: Path | None = None) -> Path:
    """Write kernel, initramfs and their checksums into `out`, unless they are there; return it.

    Raises KernelError naming the Debian package that is missing.
    """
    kernel = kernel or find()
    busybox = busybox or _busybox()
    sources = _digest(kernel.image.read_bytes(), initramfs(kernel, busybox))
    if _current(out, sources):
        return out
    out.mkdir(parents=True, exist_ok=True)
    written = {
        KERNEL: unpack(kernel.image.read_bytes()),
        PACKED: kernel.image.read_bytes(),
        INITRAMFS: initramfs(kernel, busybox),
    }
    manifest: dict[str, object] = {"kernel": kernel.release, "sources": sources}
    for name, data in written.items():
        _replace(out / name, data)
        manifest[name] = hashlib.sha256(data).hexdigest()
    _replace(out / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n")
    return out


def initramfs(kernel: Kernel, busybox: Path) -> bytes:
    """Return the guest's root file system, the same bytes for the same kernel and busybox."""
    order = list(_load_order(kernel))
    own = files("cloud_bridge.vms.guest")
    entries = [cpio.directory(name) for name in FOLDERS]
    entries.append(cpio.character("dev/console", 5, 1))
    entries.append(cpio.character("dev/null", 1, 3))
    entries.append(cpio.regular("bin/busybox", busybox.read_bytes(), 0o755))
    entries += [cpio.symlink(f"bin/{applet}", "busybox") for applet in APPLETS]
    entries += [cpio.regular(f"modules/{path.name}", path.read_bytes()) for path in order]
    names = "".join(f"{path.name}\n" for path in order)
    entries.append(cpio.regular("modules/order", names.encode()))
    for name, source in (("init", "init.sh"), ("bin/agent", "agent")):
        entries.append(cpio.regular(name, own.joinpath(source).read_bytes(), 0o755))
    return cpio.archive(entries)


def _load_order(kernel: Kernel) -> Iterator[Path]:
    """Yield each module after the ones it needs, as modules.dep tells (nearest need first)."""
    needs: dict[str, list[str]] = {}
    for line in (kernel.modules / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[Path(path).name.removesuffix(".ko")] = [*reversed(rest.split()), path]
    seen: set[str] = set()
    for module in MODULES:
        for path in needs.get(module, []):
            if path not in seen:
                seen.add(path)
                yield kernel.modules / path


def _busybox() -> Path:
    for name in ("/bin/busybox", shutil.which("busybox") or ""):
        if name and Path(name).is_file():
            return Path(name)
    raise KernelError("no busybox: install Debian's busybox-static")


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _current(out: Path, sources: str) -> bool:
    try:
        manifest = json.loads((out / MANIFEST).read_bytes())
        return manifest["sources"] == sources and all(
            hashlib.sha256((out / name).read_bytes()).hexdigest() == manifest[name]
            for name in (KERNEL, PACKED, INITRAMFS)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.part{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)


def main() -> None:
    """Build into the folder given as the only argument."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m cloud_bridge.vms.guest.build OUT")
    try:
        sys.stdout.write(f"{build(Path(sys.argv[1]))}\n")
    except KernelError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
