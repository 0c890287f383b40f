"""Figures of the service: `python -m tests.bench.machines`, one JSON line each.

The peer of a machine's start is raw QEMU with the same kernel, initramfs, kernel line and board,
started in turn with ours in the same run; both end when the guest's own page answers, and neither
always goes first.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from cloud_bridge.plan import plan
from cloud_bridge.types import Capacity, Create, Machine, Records, Template, Wanted
from cloud_bridge.vms import accel
from cloud_bridge.vms.answers import answers
from cloud_bridge.vms.domain import Host, Image, Tag, command_line
from cloud_bridge.vms.guest.build import build
from cloud_bridge.vms.libvirt import LibvirtProvider, Limits
from edge.contracts.base import Now
from edge.contracts.wire import WantedMachine
from tests.cloud_bridge.service import Asker, Running, write_config
from tests.world.libvirtd import Libvirtd
from tests.world.mosquitto import Mosquitto, free_port
from tests.world.waiting import until

ROOT = Path(__file__).parents[2]
EMULATOR = "qemu-system-x86_64"
ASK_S = 0.04
T0 = 1_780_000_000.0


def tell(
    figure: str, value: float, unit: str, peer: str = "", peer_value: float | None = None
) -> None:
    ratio = None if peer_value is None else round(value / peer_value, 3)
    named = peer if peer_value is None else f"{peer}: {peer_value:.3g} {unit}"
    line = {
        "figure": figure,
        "value": round(value, 3),
        "unit": unit,
        "peer": named,
        "ratio": ratio,
    }
    print(json.dumps(line), flush=True)


def raw_command(machine: Machine, board: str, guest: Path) -> list[str]:
    """Return plain QEMU's command line for the same guest."""
    kind = accel.best(EMULATOR)
    host = Host(kind, EMULATOR, accel.tsc_khz() if kind == "tcg" else 0)
    tag = Tag("", machine.key, "m", ("a",), "small", 0.0, 0.0, 0.0, 128, 0, machine.token)
    image = Image(guest / "vmlinux", guest / "initramfs")
    bus = "device" if board == "microvm" else "pci"
    speed = "tcg,tb-size=32" if kind == "tcg" else "kvm"
    port = machine.address.split(":")[1]
    return [
        *(EMULATOR, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-M", board, "-accel", speed, "-cpu", "max", "-m", "128", "-smp", "1"),
        *("-kernel", str(guest / "vmlinux"), "-initrd", str(guest / "initramfs")),
        *("-append", command_line(tag, host, image), "-device", f"virtio-serial-{bus}"),
        *("-netdev", f"user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:80"),
        *("-device", f"virtio-net-{bus},netdev=n" + ("" if board == "microvm" else ",romfile=")),
        *("-chardev", "pty,id=c", "-device", "isa-serial,chardev=c"),
    ]


def page(machine: Machine, seconds: float = 120) -> None:
    """Return when the machine's page answers: asked again each ASK_S, heard by the first answer.

    QEMU's network takes a question before the guest is there, and lets it lie: asked one after
    another, a page is found in steps of the time-out, which is a fifth of a boot.
    """
    answered = threading.Event()
    ends = time.monotonic() + seconds
    while not answered.is_set():
        assert time.monotonic() < ends, f"{machine.address} does not answer in {seconds:g} s"
        threading.Thread(target=_ask, args=(machine, answered), daemon=True).start()
        answered.wait(ASK_S)


def _ask(machine: Machine, answered: threading.Event) -> None:
    if answers(machine):
        answered.set()


def raw_boot(board: str, guest: Path) -> float:
    """Return seconds from QEMU's start to the page."""
    key, token = str(uuid.uuid4()), uuid.uuid4().hex
    machine = Machine(
        key, "m", ("a",), "small", "booting", 0.0, 0.0, 128,
        address=f"127.0.0.1:{free_port()}", token=token,
    )  # fmt: skip
    began = time.monotonic()
    process = subprocess.Popen(raw_command(machine, board, guest), stdout=subprocess.DEVNULL)
    try:
        page(machine)
        return time.monotonic() - began
    finally:
        process.kill()
        process.wait()


def our_boot(provider: LibvirtProvider, template: Template) -> float:
    """Return seconds from the request to the provider to the page."""
    spec = Create(str(uuid.uuid4()), "m", ("a",), template, time.time() + 600)
    began = time.monotonic()
    machine = provider.ensure(spec)
    try:
        page(machine)
        return time.monotonic() - began
    finally:
        provider.delete(spec.key)


def boots(uri: str, guest: Path, count: int) -> None:
    files = guest / "vmlinux", guest / "initramfs"
    images = {"microvm": Image(*files), "q35": Image(*files, "q35")}
    provider = LibvirtProvider(uri, "bench", images, Limits())
    for board in ("microvm", "q35"):
        template = Template(board, 128)
        our_boot(provider, template)  # libvirt asks QEMU what it can do, once
        ours, raw = [], []
        for turn in range(count):
            for first in (True, False):
                if first is bool(turn % 2):
                    ours.append(our_boot(provider, template))
                else:
                    raw.append(raw_boot(board, guest))
        named = f"cold {board}, request to page answers"
        tell(f"{named}, p50", statistics.median(ours), "s", "raw QEMU", statistics.median(raw))
        tell(f"{named}, max", max(ours), "s", "raw QEMU", max(raw))
    provider.close()


def whole_way(uri: str, folder: Path, count: int) -> None:
    """A room's snapshot published to its machine reported ready, through broker and processes."""
    with Mosquitto() as broker:
        config = write_config(folder, broker.port, uri, name="bench-way")
        with (
            Running("ingest", config),
            Running("reconcile", config),
            Asker(broker.broker) as room,
        ):
            until(lambda: room.link.connected)
            times = []
            for _ in range(count):
                key, now = str(uuid.uuid4()), time.time()
                began = time.monotonic()
                room.want(WantedMachine(key, "m", "small", now + 30, now + 600))
                until(lambda key=key: room.phase(key) == "ready", 60, "ready")  # type: ignore[misc]
                times.append(time.monotonic() - began)
                room.want()
                until(lambda key=key: room.phase(key) == "gone", 60, "gone")  # type: ignore[misc]
    tell("snapshot published to machine reported ready, p50", statistics.median(times[1:]), "s")


def planning() -> None:
    templates = {"small": Template("small", 128)}
    for count in (10, 100, 1000):
        rows = []
        machines = []
        for number in range(count):
            key, start = str(uuid.UUID(int=number)), T0 + number * 60.0
            rows.append(("a", WantedMachine(key, "m", "small", start, start + 3600)))
            if number % 2:
                machines.append(Machine(key, "m", ("a",), "small", "ready", start + 3600, T0, 128))
        wanted = Wanted(frozenset("a"), tuple(rows))
        seconds = timed(
            lambda wanted=wanted, machines=machines: plan(  # type: ignore[misc]
                wanted, machines, Records(), templates, Capacity(10**6, 2), Now(T0, 0.0)
            )
        )
        tell(f"plan of {count} meetings", seconds * 1e3, "ms")


def timed(work: Callable[[], object], repeat: int = 20) -> float:
    """Return the median seconds of `work`."""
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def storing(folder: Path, count: int) -> None:
    with Mosquitto(settings="max_queued_messages 0") as broker:
        config = write_config(folder, broker.port, "qemu:///embed?root=unused")
        with Running("ingest", config), Asker(broker.broker) as room:
            until(lambda: room.link.connected)
            # The first row's acknowledgement says that the service listens.
            until(lambda: room.event(1) or room.acks, 20)
            began = time.monotonic()
            for sequence in range(2, count + 1):
                while sequence - room.acks[-1] > 500:
                    time.sleep(0.0005)
                room.event(sequence)
            until(lambda: room.acks[-1] == count, 120, "all stored")
            elapsed = time.monotonic() - began
    tell("rows stored and acknowledged by ingest, window 500", count / elapsed, "rows/s")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    guest = build(ROOT / "build" / "guest")
    planning()
    with tempfile.TemporaryDirectory(prefix="roomkeeper-bench-") as folder:
        storing(Path(folder), 10_000)
    with Libvirtd() as daemon, tempfile.TemporaryDirectory(prefix="roomkeeper-bench-") as folder:
        boots(daemon.uri, guest, count)
        whole_way(daemon.uri, Path(folder), 4)


if __name__ == "__main__":
    main()
