"""Who goes first when the host is busy, and memory that comes back: with real guests."""

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from cloud_bridge.types import Create, Machine, Template
from cloud_bridge.vms.answers import answers
from cloud_bridge.vms.guest import cpio
from cloud_bridge.vms.guest.kernel import find
from cloud_bridge.vms.image import Image
from cloud_bridge.vms.libvirt import LibvirtProvider, Limits
from cloud_bridge.vms.weights import Weights, guests_of, nice_level, set_group, shares
from tests.cloud_bridge.service import new_key
from tests.cloud_bridge.vms.probe import probe, run
from tests.world.libvirtd import Libvirtd
from tests.world.waiting import until


def test_a_factor_becomes_a_level_and_a_weight_and_back() -> None:
    assert [nice_level(factor) for factor in (0, 1, 2, 4, 10)] == [0, 0, -3, -6, -10]
    assert (shares(1024, 4), shares(4096, 1), shares(10240, 2)) == (4096, 1024, 2048)
    assert (shares(100, 4), shares(400, 1), shares(1000, 10)) == (400, 100, 1000)


class Host:
    """A domain on a host with cgroups, as libvirt presents it."""

    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.asked = 0

    def schedulerParameters(self) -> dict[str, int]:  # noqa: N802 (libvirt's name)
        self.asked += 1
        return {"cpu_shares": self.weight, "vcpu_period": 100000}

    def setSchedulerParametersFlags(  # noqa: N802 (libvirt's name)
        self, values: dict[str, int], _flags: int
    ) -> None:
        self.weight = values["cpu_shares"]


@pytest.mark.parametrize("normal", [1024, 100])
def test_a_weight_is_raised_once_and_restored(normal: int) -> None:
    host = Host(normal)
    weights = Weights(lambda _: ())
    for factor, weight in ((1, normal), (4, 4 * normal), (4, 4 * normal), (1, normal)):
        weights.weigh(host, "d", "t", factor)  # type: ignore[arg-type]
        assert host.weight == weight
    assert host.asked == 2
    # A reconciler that was started anew finds it raised.
    host.weight = 4 * normal
    anew = Weights(lambda _: ())
    anew.weigh(host, "d", "t", 4)  # type: ignore[arg-type]
    assert host.weight == 4 * normal
    anew.forget(())
    anew.weigh(host, "d", "t", 2)  # type: ignore[arg-type]
    assert host.weight == 2 * normal


class Bare(Host):
    """A domain on a host without cgroups."""

    def schedulerParameters(self) -> dict[str, int]:  # noqa: N802 (libvirt's name)
        return {}


@pytest.fixture
def late() -> Iterator[threading.Thread]:
    """A thread that has not begun; it ends with the test."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    yield thread
    over.set()
    if thread.ident is not None:
        thread.join()


def test_a_thread_that_begins_meanwhile_goes_first_too(
    monkeypatch: pytest.MonkeyPatch, late: threading.Thread
) -> None:
    raised: dict[int, int] = {}

    def set_level(_which: int, thread: int, level: int) -> None:
        raised[thread] = level
        if late.ident is None:
            late.start()

    monkeypatch.setattr(os, "setpriority", set_level)
    Weights(lambda _: (os.getpid(),)).weigh(Bare(0), "d", "t", 4)  # type: ignore[arg-type]
    assert raised[late.native_id or 0] == nice_level(4)


def test_a_thread_that_was_being_begun_goes_first_from_the_next_look_on(
    monkeypatch: pytest.MonkeyPatch, late: threading.Thread
) -> None:
    raised: dict[int, int] = {}
    monkeypatch.setattr(os, "setpriority", lambda _, thread, level: raised.update({thread: level}))
    monkeypatch.setattr(os, "getpriority", lambda _, thread: raised.get(thread, 0))
    weights = Weights(lambda _: (os.getpid(),))
    weights.weigh(Bare(0), "d", "t", 4)  # type: ignore[arg-type]
    late.start()
    weights.weigh(Bare(0), "d", "t", 4)  # type: ignore[arg-type]
    assert raised[late.native_id or 0] == nice_level(4)


def test_a_machine_whose_process_is_found_late_goes_first_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raised: dict[int, int] = {}
    monkeypatch.setattr(os, "setpriority", lambda _, thread, level: raised.update({thread: level}))
    monkeypatch.setattr(os, "getpriority", lambda _, thread: raised.get(thread, 0))
    found: list[tuple[int, ...]] = [(), (os.getpid(),)]
    weights = Weights(lambda _: found.pop(0))
    for level in (0, nice_level(4), nice_level(4)):
        weights.weigh(Bare(0), "d", "t", 4)  # type: ignore[arg-type]
        assert raised.get(threading.get_native_id(), 0) == level


@pytest.mark.parametrize(
    ("ours", "guests", "left"),
    [
        ("/autogroup-1 nice 0", "/autogroup-7 nice 0", "-6"),
        ("", "/autogroup-7 nice 0", "-6"),  # as the child of a container's first process has it
        ("/autogroup-7 nice 0", "/autogroup-7 nice 0", "/autogroup-7 nice 0"),
        ("/autogroup-1 nice 0", "/autogroup-7 nice -6", "/autogroup-7 nice -6"),
        ("", "", ""),
        (None, "/autogroup-7 nice 0", "/autogroup-7 nice 0"),
    ],
)
def test_the_session_of_a_guest_goes_first_and_never_ours(
    folder: Path, ours: str | None, guests: str, left: str
) -> None:
    for process, says in (("self", ours), ("12", guests)):
        (folder / process).mkdir()
        if says is not None:
            (folder / process / "autogroup").write_text(says)
    set_group(12, -6, folder)
    assert (folder / "12/autogroup").read_text() == left


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def start(
    provider: LibvirtProvider, template: str, until_: float = 2e9, memory_mib: int = 128
) -> Machine:
    spec = Create(new_key(), "m@x", ("aurora",), Template(template, memory_mib), until_)
    machine = provider.ensure(spec)
    until(lambda: answers(machine, 5.0), 150, "its page")
    return machine


def all_at(provider: LibvirtProvider, machine: Machine, level: int) -> None:
    """Return when a look of the provider left every thread at the level."""

    def holds() -> bool:
        provider.list()
        return set(levels(machine).values()) == {level}

    try:
        until(holds, 5)
    except AssertionError as error:
        raise AssertionError(f"not all at level {level}: {levels(machine)}") from error


def levels(machine: Machine) -> dict[str, int]:
    """Return the level of each thread of the guest, and of its session."""
    (pid,) = guests_of(f"roomkeeper-{machine.key}")
    found = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
            found[thread] = os.getpriority(os.PRIO_PROCESS, int(thread))
    group = Path(f"/proc/{pid}/autogroup")
    if group.exists():  # without it, levels count nothing between two guests
        found["session"] = int(group.read_text().split()[-1])
    return found


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_machine_goes_first_until_its_lease_is_over(
    libvirtd: Libvirtd, guest: Path, folder: Path
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root may raise a process's priority")
    now = [time.time()]
    files = guest / "vmlinux", guest / "initramfs"
    images = {"first": Image(*files, priority=4), "any": Image(*files)}
    provider = LibvirtProvider(
        libvirtd.uri, "ours", images, Limits(512, boots=2), lambda: now[0], folder
    )
    first = start(provider, "first", now[0] + 60)
    try:
        with pytest.raises(libvirt.libvirtError):  # no cgroups here: what follows is the other way
            libvirt.open(libvirtd.uri).lookupByUUIDString(first.key).schedulerParameters()
        all_at(provider, first, nice_level(4))
        other = start(provider, "any", now[0] + 60)
        all_at(provider, other, 0)
        provider.delete(other.key)
        now[0] += 61
        all_at(provider, first, 0)
        provider.renew(first.key, now[0] + 60)
        all_at(provider, first, nice_level(4))
    finally:
        provider.delete(first.key)
        provider.close()


def resident_mib(machine: Machine) -> int:
    (pid,) = guests_of(f"roomkeeper-{machine.key}")
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGESIZE") >> 20


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_memory_that_a_guest_frees_comes_back(
    libvirtd: Libvirtd, guest: Path, folder: Path
) -> None:
    module = find().modules / "kernel/drivers/virtio/virtio_balloon.ko"
    more = [cpio.regular("balloon.ko", module.read_bytes())]
    initramfs = probe(guest / "initramfs", folder / "probe", more)
    image = Image(guest / "vmlinux", initramfs, balloon=True)
    provider = LibvirtProvider(
        libvirtd.uri, "ours", {"small": image}, Limits(1024, boots=2), files=folder / "f"
    )
    machine = start(provider, "small", memory_mib=256)
    try:
        assert run(machine, "insmod /balloon.ko && echo in") == "in\n"
        run(machine, "dd if=/dev/zero of=/filled bs=1M count=100; echo done")
        filled = resident_mib(machine)
        run(machine, "rm /filled")
        until(lambda: resident_mib(machine) < filled - 50, 90, "memory given back")
    finally:
        provider.delete(machine.key)
        provider.close()
