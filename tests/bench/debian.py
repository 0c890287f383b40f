"""Figures of a whole Debian as a machine: `python -m tests.bench.debian [COUNT]`, a JSON line each.

systemd, a disk of its own for each machine, and nginx, whose page ends the measure; in turn through
libvirt and with raw QEMU doing the same boot. Building the guest takes minutes, the first time.
"""

import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from cloud_bridge.types import Create, Template
from cloud_bridge.vms import accel
from cloud_bridge.vms.domain import Host, kernel_words
from cloud_bridge.vms.image import Image
from cloud_bridge.vms.libvirt import LibvirtProvider, Limits
from tests.bench.machines import EMULATOR, ROOT, tell
from tests.world.debian import KERNEL_WORDS, Debian, cannot, debian
from tests.world.libvirtd import Libvirtd
from tests.world.mosquitto import free_port
from tests.world.waiting import until

MEMORY_MIB = 512
LIMIT_S = 240.0


def raw_command(made: Debian, disk: Path, port: int) -> list[str]:
    """Return plain QEMU's command line for the same guest, as libvirt is told to make it."""
    kind = accel.best(EMULATOR)
    host = Host(kind, EMULATOR, accel.tsc_khz() if kind == "tcg" else 0)
    speed = "tcg,tb-size=32" if kind == "tcg" else "kvm"
    return [
        *(EMULATOR, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-M", "q35", "-accel", speed, "-cpu", "max", "-m", str(MEMORY_MIB), "-smp", "1"),
        *("-kernel", str(made.kernel), "-initrd", str(made.initramfs)),
        *("-append", " ".join([*kernel_words(host), *KERNEL_WORDS.split()])),
        *("-drive", f"file={disk},format=qcow2,if=virtio"),
        *("-netdev", f"user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:80"),
        *("-device", "virtio-net-pci,netdev=n,romfile="),
        *("-chardev", "pty,id=c", "-device", "isa-serial,chardev=c"),
    ]


def served(address: str) -> bool:
    """Return whether nginx answers."""
    try:
        with urlopen(f"http://{address}/", timeout=1.0) as page:
            return bool(page.status == HTTPStatus.OK)
    except (OSError, HTTPException):
        return False


def raw(made: Debian, folder: Path) -> float:
    """Return seconds from the disk's making to the page."""
    port, disk = free_port(), folder / "raw.qcow2"
    began = time.monotonic()
    backing = ["-f", "qcow2", "-b", str(made.disk), "-F", "raw"]
    subprocess.run(["qemu-img", "create", "-q", *backing, str(disk)], check=True)
    process = subprocess.Popen(raw_command(made, disk, port), stdout=subprocess.DEVNULL)
    try:
        until(lambda: served(f"127.0.0.1:{port}"), LIMIT_S, "raw QEMU's page")
        return time.monotonic() - began
    finally:
        process.kill()
        process.wait()
        disk.unlink()


def ours(provider: LibvirtProvider) -> float:
    """Return seconds from the request to the provider to the page."""
    template = Template("debian", MEMORY_MIB)
    spec = Create(str(uuid.uuid4()), "m", ("a",), template, time.time() + 600)
    began = time.monotonic()
    machine = provider.ensure(spec)
    try:
        until(lambda: served(machine.address), LIMIT_S, "page")
        return time.monotonic() - began
    finally:
        provider.delete(spec.key)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    if cannot():
        print(f"skipped: {cannot()}")
        return
    made = debian(ROOT / "build" / "debian")
    image = Image(made.kernel, made.initramfs, "q35", append=KERNEL_WORDS, disk=made.disk)
    with Libvirtd() as daemon, tempfile.TemporaryDirectory(prefix="roomkeeper-bench-") as scratch:
        folder = Path(scratch)
        provider = LibvirtProvider(
            daemon.uri, "bench", {"debian": image}, Limits(), files=folder / "files"
        )
        times: list[float] = []
        peers: list[float] = []
        for turn in range(count):
            # Who goes first changes, as the machine's load does.
            if turn % 2:
                times.append(ours(provider))
            peers.append(raw(made, folder))
            if not turn % 2:
                times.append(ours(provider))
        provider.close()
    named = "Debian with systemd and nginx through libvirt, request to page answers"
    for name, of in (("p50", statistics.median), ("max", max)):
        tell(f"{named}, {name}", of(times), "s", "raw QEMU", of(peers))


if __name__ == "__main__":
    main()
