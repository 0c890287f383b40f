"""Machines with a disk and a seed, booted: what the guest sees, what is left when it is gone."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_bridge.types import Create, Template
from cloud_bridge.vms.checks import Check, Checks
from cloud_bridge.vms.files import Files
from cloud_bridge.vms.guest import cpio
from cloud_bridge.vms.guest.kernel import find
from cloud_bridge.vms.image import Image
from cloud_bridge.vms.libvirt import LibvirtProvider, Limits
from tests.cloud_bridge.service import new_key
from tests.cloud_bridge.vms.probe import probe, run
from tests.world.libvirtd import Libvirtd
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

MODULES = ("drivers/block/virtio_blk", "drivers/cdrom/cdrom", "fs/isofs/isofs")
MIB = 1 << 20
# mov dx,0x604; mov ax,0x2000; out dx,ax; hlt: a boot sector that switches its PC off.
SWITCH_OFF = bytes.fromhex("ba0406b80020eff4").ljust(510, b"\0") + b"\x55\xaa"


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def modules() -> list[cpio.Entry]:
    kernel = find().modules / "kernel"
    entries = [cpio.directory("more")]
    for name in MODULES:
        path = kernel / f"{name}.ko"
        entries.append(cpio.regular(f"more/{path.name}", path.read_bytes()))
    return entries


@pytest.mark.parametrize("board", ["microvm", "q35"])
def test_a_machine_writes_to_its_own_disk_and_reads_what_it_is_told(
    board: str, libvirtd: Libvirtd, guest: Path, folder: Path
) -> None:
    disk, user_data, files = folder / "base", folder / "user-data", Files(folder / "f")
    disk.write_bytes(b"base".ljust(4 * MIB, b"\0"))
    user_data.write_text("#cloud-config\nhostname: demo\n")
    before = hashlib.sha256(disk.read_bytes()).hexdigest()
    image = Image(
        guest / "vmlinux",
        probe(guest / "initramfs", folder / "probe", modules()),
        board,  # type: ignore[arg-type]
        append="panic=5",
        disk=disk,
        user_data=user_data,
        checksums={"disk": before},
        tells=True,
    )
    provider = LibvirtProvider(
        libvirtd.uri, "ours", {"disk": image}, Limits(512, boots=2), files=files.root
    )
    spec = Create(
        new_key(), "demo@x", ("aurora",), Template("disk", 128), 2e9, 'Title "of" \\ all\nof it'
    )
    machine = provider.ensure(spec)
    line = Checks({"disk": Check("serial")}, files)
    page = Checks({"disk": Check("page")}, files, timeout_s=5.0)
    try:
        until(lambda: line.ready(machine), 150, "its word on the serial line")
        until(lambda: page.ready(machine), 60, "its page")
        load = "for each in virtio_blk cdrom isofs; do insmod /more/$each.ko; done; mkdir /seed; "
        mount = "mount -t iso9660 -o ro /dev/vdb /seed && ls /seed"
        assert run(machine, load + mount).split() == ["meta-data", "user-data"]
        assert run(machine, "cat /seed/user-data") == user_data.read_text()
        meta = json.loads(run(machine, "cat /seed/meta-data"))
        assert meta["roomkeeper"]["title"] == spec.title
        assert meta["roomkeeper"]["token"] == machine.token
        assert run(machine, "head -c 4 /dev/vda") == "base"
        run(machine, "echo mine > /dev/vda; sync")
        assert run(machine, "head -c 4 /dev/vda") == "mine"
        assert "not permitted" in run(machine, "echo x > /dev/vdb")
        assert [path.name for path in files.root.iterdir()] == [machine.key]
    finally:
        line.close()
        provider.delete(machine.key)
        provider.close()
    assert hashlib.sha256(disk.read_bytes()).hexdigest() == before
    assert list(files.root.iterdir()) == []


def test_a_disk_starts_by_itself(libvirtd: Libvirtd, folder: Path) -> None:
    disk = folder / "base"
    disk.write_bytes(SWITCH_OFF.ljust(MIB, b"\0"))
    image = Image(Path(), Path(), "q35", disk=disk, own_loader=True)
    provider = LibvirtProvider(libvirtd.uri, "ours", {"disk": image}, Limits(), files=folder / "f")
    key = new_key()
    provider.ensure(Create(key, "demo@x", ("aurora",), Template("disk", 128), 2e9))
    try:
        # Its only instruction switches the PC off: only a disk that was started ends so.
        until(lambda: key not in {each.key for each in provider.list()}, 120, "its end")
    finally:
        provider.delete(key)
        provider.close()
    assert list((folder / "f").iterdir()) == []
