"""A whole Debian as a guest: systemd, a web server, a disk, made of the host's own packages.

`python -m tests.world.debian FOLDER` builds it. Needs root; takes minutes, once: the folder is
found again until this file changes.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cloud_bridge.vms.guest.kernel import unpack
from tests.world.places import ROOT

PACKAGES = "systemd-sysv,udev,nginx-light,linux-image-cloud-amd64,initramfs-tools"
NETWORK = "[Match]\nName=e*\n[Network]\nAddress=10.0.2.15/24\nLinkLocalAddressing=no\n"
UNITS = ("systemd-networkd", "nginx")
SIZE_MIB = 1024
KERNEL_WORDS = "root=/dev/vda rw"


@dataclass(frozen=True, slots=True)
class Debian:
    """What boots it: an unpacked kernel, its initramfs, a raw disk; nginx answers on port 80."""

    kernel: Path
    initramfs: Path
    disk: Path


def cannot() -> str:
    """Return why it cannot be built here, "" when it can."""
    return "" if os.getuid() == 0 else "a Debian guest is built by root only"


def debian(folder: Path) -> Debian:
    """Return the guest in `folder`, built now unless it was; CalledProcessError with its output."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    place = folder / f"debian-{recipe}"
    found = Debian(place / "vmlinux", place / "initramfs", place / "disk")
    if not place.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("part-*"):  # of a build that was killed
            shutil.rmtree(left)
        _run(str(ROOT / "tests/world/bootstrap.sh"), "debian")
        with tempfile.TemporaryDirectory(dir=folder, prefix="part-") as scratch:
            part = Path(scratch) / "made"
            part.mkdir()
            _build(Path(scratch) / "root", part)
            part.rename(place)
    return found


def _build(root: Path, out: Path) -> None:
    # The installed system's own sources, whatever mirror they name.
    _run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={PACKAGES}",
         "--aptopt=Acquire::Languages \"none\"", "bookworm", str(root))  # fmt: skip
    (root / "etc/systemd/network/guest.network").write_text(NETWORK)
    (root / "etc/hostname").write_text("guest\n")
    # Its kernel is told to have no IPv6.
    site = root / "etc/nginx/sites-available/default"
    lines = site.read_text().splitlines(keepends=True)
    site.write_text("".join(line for line in lines if "[::]" not in line))
    _run("chroot", str(root), "systemctl", "enable", *UNITS)
    boot = root / "boot"
    (out / "vmlinux").write_bytes(unpack(next(boot.glob("vmlinuz-*")).read_bytes()))
    shutil.copy(next(boot.glob("initrd.img-*")), out / "initramfs")
    _run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(out / "disk"), f"{SIZE_MIB}M")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


if __name__ == "__main__":
    sys.stdout.write(f"{debian(Path(sys.argv[1]))}\n")
