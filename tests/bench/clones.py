"""Figures of copies in memory: `python -m tests.bench.clones [COUNT]`, one JSON line each.

In turn, in one run: a copy, a machine cold through libvirt on both boards, and raw QEMU doing the
same boot; each ends when the guest's own page answers. Then 16 copies at once, what one takes of
the host's memory, and how long one comparison of the reconciler takes.
"""

import logging
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import structlog

from cloud_bridge.reconcile import Reconciler
from cloud_bridge.store import MachineStore, RecordStore, Store
from cloud_bridge.store.events import Batch, EventStore, Snapshot
from cloud_bridge.types import Create, Machine, Template
from cloud_bridge.vms.answers import answers
from cloud_bridge.vms.base import Limits
from cloud_bridge.vms.clones import CloneProvider
from cloud_bridge.vms.guest.build import build
from cloud_bridge.vms.image import Image
from cloud_bridge.vms.libvirt import LibvirtProvider
from edge.contracts.wire import WantedMachine, WantedMessage
from edge.process.link import Broker, Link
from tests.bench.machines import ROOT, our_boot, page, raw_boot, raw_command, tell, timed
from tests.cloud_bridge.vms.case import processes
from tests.cloud_bridge.vms.case_clones import folders
from tests.world.libvirtd import Libvirtd
from tests.world.mosquitto import free_port
from tests.world.waiting import until

TEMPLATE = Template("copy", 128)
MANY, BURSTS = 16, 5


def spread(named: str, ours: list[float], peer: str, theirs: list[float]) -> None:
    """Tell p50, p95 and max beside the peer's."""
    for name, of in (("p50", statistics.median), ("p95", percentile), ("max", max)):
        tell(f"{named}, {name}", of(ours), "s", peer, of(theirs))


def percentile(values: list[float]) -> float:
    """Return the 95th percentile: the least that 95 % of the values do not exceed."""
    ordered = sorted(values)
    return ordered[-(-95 * len(ordered) // 100) - 1]


def private_mib(pid: int) -> tuple[float, float]:
    """Return what a process has for itself, and its fair share of all it uses, MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {name: int(kib) / 1024 for name, kib in re.findall(r"^(\w+): +(\d+) kB", text, re.M)}
    return sizes["Private_Clean"] + sizes["Private_Dirty"], sizes["Pss"]


def raw_memory(guest: Path) -> float:
    """Return what raw QEMU has for itself when the same guest has booted in it, MiB."""
    machine = Machine(
        str(uuid.uuid4()), "m", ("a",), "small", "booting", 0.0, 0.0, 128,
        address=f"127.0.0.1:{free_port()}", token=uuid.uuid4().hex,
    )  # fmt: skip
    process = subprocess.Popen(raw_command(machine, "microvm", guest), stdout=subprocess.DEVNULL)
    try:
        page(machine)
        return private_mib(process.pid)[0]
    finally:
        process.kill()
        process.wait()


def one_by_one(clones: CloneProvider, libvirt: LibvirtProvider, guest: Path, count: int) -> None:
    boards = {board: Template(board, 128) for board in ("microvm", "q35")}
    for template in boards.values():
        our_boot(libvirt, template)  # libvirt asks QEMU what it can do, once
    cold: dict[str, list[float]] = {board: [] for board in boards}
    raw: dict[str, list[float]] = {board: [] for board in boards}
    copied: list[float] = []
    for turn in range(count):
        copied += [our_boot(clones, TEMPLATE) for _ in range(4)]
        for board, template in boards.items():
            # Who goes first changes, as the machine's load does.
            steps: list[Callable[[], None]] = [
                lambda board=board, t=template: cold[board].append(our_boot(libvirt, t)),  # type: ignore[misc]
                lambda board=board: raw[board].append(raw_boot(board, guest)),  # type: ignore[misc]
            ]
            for step in steps if turn % 2 else reversed(steps):
                step()
    spread("copy, request to page answers", copied, "raw QEMU's cold microvm", raw["microvm"])
    for board in boards:
        named = f"cold {board} through libvirt, request to page answers"
        spread(named, cold[board], "raw QEMU", raw[board])


def burst(clones: CloneProvider) -> tuple[float, list[str]]:
    """MANY requests in the same instant: seconds until the last page answers, and their keys."""
    keys = [str(uuid.uuid4()) for _ in range(MANY)]
    times: list[float] = []

    def one(key: str) -> None:
        machine = clones.ensure(Create(key, "m", ("a",), TEMPLATE, time.time() + 600))
        # One question at a time: more would take two processors from sixteen guests.
        until(lambda: answers(machine), 120, "page")
        times.append(time.monotonic() - began)

    began = time.monotonic()
    threads = [threading.Thread(target=one, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(times), keys


def at_once(clones: CloneProvider, raw_mib: float) -> None:
    """Bursts, one after another; the machines of the last are looked at."""
    took: list[float] = []
    for left in reversed(range(BURSTS)):
        seconds, keys = burst(clones)
        took.append(seconds)
        if left:
            for key in keys:
                clones.delete(key)
    tell(f"{MANY} copies at once, the last page answers, p50", statistics.median(took), "s")
    tell(f"{MANY} copies at once, the last page answers, max", max(took), "s")
    sizes = [private_mib(processes(key)[0]) for key in keys]
    own = statistics.mean(size for size, _ in sizes)
    tell(f"memory of its own, each of {MANY} copies", own, "MiB", "raw QEMU's cold", raw_mib)
    fair = statistics.mean(size for _, size in sizes)
    tell(f"memory (Pss), each of {MANY} copies", fair, "MiB")
    tell(f"list of {MANY} copies", timed(clones.list) * 1e3, "ms")
    for key in keys:
        clones.delete(key)


def comparing(clones: CloneProvider, folder: Path) -> None:
    """One whole comparison: the store read, machines listed, planned, nothing to do (SQLite)."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for count in (10, 100, 1000):
        store = Store(f"sqlite:///{folder}/{count}.db")
        EventStore(store).keep(Batch(snapshots=snapshots(count)), time.time())
        link = Link("bench", Broker("127.0.0.1", free_port()))
        reconciler = Reconciler(
            "bench", clones, MachineStore(store), RecordStore(store), link, {"copy": TEMPLATE}
        )
        seconds = timed(reconciler._compare)
        tell(f"reconcile: one comparison, {count} meetings", seconds * 1e3, "ms")
        store.close()


def snapshots(count: int) -> list[Snapshot]:
    """Return what rooms of ten meetings each want, none of them soon."""
    found = []
    for first in range(0, count, 10):
        room, start = f"room-{first}", time.time() + 7200.0
        rows = tuple(
            WantedMachine(str(uuid.UUID(int=first + n)), "m", "copy", at, at + 1800.0)
            for n in range(10)
            for at in [start + n * 3600.0]
        )
        body = msgspec.json.encode(WantedMessage(room, 1, 1.0, rows))
        found.append(Snapshot(room, 1, 1.0, body))
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    guest = build(ROOT / "build" / "guest")
    files = guest / "vmlinux", guest / "initramfs"
    images = {"copy": Image(*files), "microvm": Image(*files), "q35": Image(*files, "q35")}
    with ExitStack() as stack:
        folder, memory = stack.enter_context(folders())
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="roomkeeper-bench-")))
        clones = CloneProvider(folder, memory, "bench", images, Limits())
        comparing(clones, scratch)
        began = time.monotonic()
        clones.prepare({"copy": (128, 1)})
        tell("template built", time.monotonic() - began, "s")
        kept = sum(os.stat(each).st_blocks * 512 for each in memory.rglob("*") if each.is_file())
        tell("memory of a template of 128 MiB", kept / (1 << 20), "MiB")
        daemon = stack.enter_context(Libvirtd())
        libvirt = LibvirtProvider(daemon.uri, "bench", images, Limits(), files=scratch / "files")
        one_by_one(clones, libvirt, guest, count)
        at_once(clones, raw_memory(guest))
        libvirt.close()


if __name__ == "__main__":
    main()
