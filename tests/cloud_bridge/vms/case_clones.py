"""Copies of a template in memory, each a QEMU of its own."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from cloud_bridge.types import Template
from cloud_bridge.vms.base import Limits
from cloud_bridge.vms.clones import CloneProvider
from tests.cloud_bridge.service import new_key
from tests.cloud_bridge.vms.case import Case, Entry, kill, processes
from tests.cloud_bridge.vms.case_libvirt import images
from tests.world.supervisor import sweep
from tests.world.waiting import until

UNMADE = {
    Template("missing", 128): "is missing",
    Template("never-heard-of", 128): "no image",
    Template("small", 10**9): "does not start",
}


@contextmanager
def stranger(folder: Path) -> Iterator[str]:
    """Run a QEMU whose monitor is in our folder and of which no record tells."""
    key = new_key()
    line = ["qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none", "-S"]
    line += ["-qmp", f"unix:{folder}/{key}.qmp,server=on,wait=off"]
    process = subprocess.Popen(line)
    try:
        until(lambda: processes(key), 30, "the stranger")
        yield key
    finally:
        process.kill()
        process.wait()


@contextmanager
def folders() -> Iterator[tuple[Path, Path]]:
    """Yield a folder for machines and one in memory for templates; nothing is left of either."""
    with (
        tempfile.TemporaryDirectory(prefix="rk-clones-") as folder,
        tempfile.TemporaryDirectory(prefix="rk-clones-", dir="/dev/shm") as memory,
    ):
        try:
            yield Path(folder), Path(memory)
        finally:
            sweep(folder)
            shutil.rmtree(memory, ignore_errors=True)
            Path(memory).mkdir()


@contextmanager
def copies(request: pytest.FixtureRequest) -> Iterator[Case]:
    """Yield the case of clones in folders of its own."""
    guest = request.getfixturevalue("guest")
    with folders() as (folder, memory):
        yield Case(
            lambda owner: CloneProvider(
                folder, memory, owner, images(guest), Limits(memory_mib=512, boots=2)
            ),
            kill,
            partial(stranger, folder),
            unmade=UNMADE,
        )


ENTRIES = {"clones": Entry(copies)}
