"""libvirt as a daemon of its own and as the driver inside this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import libvirt
import pytest

from cloud_bridge.types import Template
from cloud_bridge.vms.domain import Image
from cloud_bridge.vms.libvirt import LibvirtProvider, Limits
from tests.cloud_bridge.service import new_key
from tests.cloud_bridge.vms.case import Case, Entry, kill
from tests.world.libvirtd import Libvirtd
from tests.world.supervisor import sweep

UNMADE = {
    Template("missing", 128): "image",
    Template("never-heard-of", 128): "no image",
    Template("small", 10**9): "does not start",
}


def images(guest: Path) -> dict[str, Image]:
    """Return what the tests' templates boot."""
    kernel, initramfs = guest / "vmlinux", guest / "initramfs"
    return {
        "small": Image(kernel, initramfs),
        "pc": Image(kernel, initramfs, "q35"),
        "missing": Image(guest / "nothing", initramfs),
    }


def provider_at(uri: str, guest: Path, owner: str = "ours") -> LibvirtProvider:
    """Return libvirt's provider with bounds that the host does not set."""
    return LibvirtProvider(uri, owner, images(guest), Limits(memory_mib=512, boots=2))


@contextmanager
def stranger(uri: str) -> Iterator[str]:
    """Define a domain that says nothing of us."""
    conn = libvirt.open(uri)
    xml = f"""<domain type='qemu'><name>plain</name><uuid>{new_key()}</uuid><memory>65536</memory>
      <os><type machine='q35'>hvm</type></os></domain>"""
    domain = conn.defineXML(xml)
    try:
        yield "plain"
    finally:
        domain.undefine()
        conn.close()


def case_at(uri: str, guest: Path) -> Case:
    """Return the case of the libvirt at `uri`."""
    return Case(
        lambda owner: provider_at(uri, guest, owner), kill, partial(stranger, uri), unmade=UNMADE
    )


@contextmanager
def daemon(request: pytest.FixtureRequest) -> Iterator[Case]:
    """Yield the case of a libvirtd of its own."""
    running: Libvirtd = request.getfixturevalue("daemon")
    yield case_at(running.uri, request.getfixturevalue("guest"))


@contextmanager
def embedded(request: pytest.FixtureRequest) -> Iterator[Case]:
    """Yield the case of the driver inside this process."""
    # A socket's path has 107 characters at most.
    root = request.getfixturevalue("tmp_path_factory").mktemp("e")
    try:
        yield case_at(f"qemu:///embed?root={root}", request.getfixturevalue("guest"))
    finally:
        sweep(str(root))


ENTRIES = {"libvirtd": Entry(daemon), "libvirt-embed": Entry(embedded)}
