"""Machines as bare QEMU processes, copied from a template; the lease is in a record beside each."""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from cloud_bridge.types import Capacity, Create, Machine, Phase
from cloud_bridge.vms import accel
from cloud_bridge.vms.base import Limits, VmError, VmRefusedError, free_port
from cloud_bridge.vms.clones import identity
from cloud_bridge.vms.clones.command import Shape, check_length, line, machine_name
from cloud_bridge.vms.clones.lines import Lines
from cloud_bridge.vms.clones.monitor import Monitor
from cloud_bridge.vms.clones.processes import end, running, start
from cloud_bridge.vms.clones.record import Record, Records
from cloud_bridge.vms.clones.templates import MemoryFullError, Saved, Templates
from cloud_bridge.vms.disks import Checksums
from cloud_bridge.vms.domain import Host, Tag, domain_uuid, machine_of
from cloud_bridge.vms.image import Image
from cloud_bridge.vms.usage import Used, of_process

log = structlog.get_logger()

EMULATOR = "qemu-system-x86_64"
COPY_S, BOOT_S = 60.0, 300.0
"""Within which a copy, or a guest that boots, has to say that it is the machine it was told."""


class CloneProvider:
    """Machines whose records and sockets are in `folder`, and templates in `memory`.

    owner: written on what is made; only what bears it is ours. One host: reconcilers elsewhere
    see none of these machines.
    """

    def __init__(
        self,
        folder: Path,
        memory: Path,
        owner: str,
        images: Mapping[str, Image],
        limits: Limits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_length(folder)
        self._records = Records(folder)
        self._templates = Templates(memory / f"roomkeeper-{owner}")
        self._owner = owner
        self._images = images
        self._limits = limits
        self._clock = clock
        self._checksums = Checksums()

    def prepare(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        """Build templates of ours that are missing, and remove outdated ones.

        sizes: template -> (memory_mib, vcpus). Raises VmError for the first that fails.
        """
        ours = {name: size for name, size in sizes.items() if name in self._images}
        shapes = [self._shape(name, *size) for name, size in ours.items()]
        used = [record.template for record in self._records.all().values()]
        self._templates.tidy([shape.key() for shape in shapes], used)
        for shape in shapes:
            self._templates.get(shape)

    def ensure(self, spec: Create) -> Machine:
        """Return the machine with spec's key, copied now unless it exists."""
        domain_uuid(spec.key)
        self._records.prepare()
        with self._alone(spec.key):
            held = self._ours(spec.key)
            if held is not None and self._running(spec.key):
                return machine_of(held.tag, "booting")
            shape = self._shape(spec.template.name, spec.template.memory_mib, spec.template.vcpus)
            saved = self._saved(shape)
            tag = self._new_tag(spec)
            self._records.put(Record(tag, saved.key if saved else ""))
            try:
                self._begin(shape, saved, tag, spec.title)
            except VmError:
                self._end(spec.key)
                raise
            return machine_of(tag, "booting")

    def list(self) -> "list[Machine]":
        """Return every machine; ours as booting (whether one is ready, its page tells) or dead."""
        records = self._records.all()
        alive = {one.key for one in running(self._records.folder)}
        machines = [self._listed(record, key in alive) for key, record in records.items()]
        machines += [_stranger(key) for key in sorted(alive - records.keys())]
        return machines

    def used(self) -> "Sequence[Used]":
        """Return what each of our machines has used so far, as its process says."""
        ours = self._records.all().keys()
        here = [one for one in running(self._records.folder) if one.key in ours]
        return [used for one in here if (used := of_process(one.key, one.pid)) is not None]

    def renew(self, key: str, until: float) -> None:
        """Set the end of the lease in the machine's record."""
        domain_uuid(key)
        self._records.prepare()
        with self._alone(key):
            held = self._ours(key)
            if held is None:
                raise VmError(f"machine {key}: gone, its lease cannot be renewed")
            self._records.put(replace(held, tag=replace(held.tag, until=until)))

    def delete(self, key: str) -> None:
        """End the machine at once; nothing happens when it is gone."""
        domain_uuid(key)
        self._records.prepare()
        with self._alone(key):
            if self._ours(key) is not None:
                self._end(key)

    def capacity(self) -> Capacity:
        """Return the configured limits, or what the host has."""
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return self._limits.on(pages // (1 << 20), os.cpu_count() or 1)

    def close(self) -> None:
        """Let go of nothing: machines live on, and are found again by what stands beside them."""

    def _begin(self, shape: Shape, saved: Saved | None, tag: Tag, title: str) -> None:
        """Start the process, load the template into it, and make it the machine of `tag`."""
        sockets = self._records.base(tag.key)
        name = machine_name(tag.key)
        if saved:
            command = line(shape, name, sockets, tag.port, "copy", saved.ram)
        else:
            command = line(shape, name, sockets, tag.port, "private", Path())
        start(command, Path(f"{sockets}.log"))
        limit = COPY_S if saved else BOOT_S
        # Held from before the guest runs: it never sees its other end closed.
        with Lines(Path(f"{sockets}.agent"), limit) as agent:
            if saved:
                with Lines(Path(f"{sockets}.qmp"), limit) as monitor:
                    Monitor(monitor).load(saved.state)
            identity.renew(agent, tag, self._clock, title)

    def _saved(self, shape: Shape) -> Saved | None:
        """Return the template, None when memory has no room for one: then the guest is booted."""
        try:
            return self._templates.get(shape)
        except MemoryFullError as error:
            log.warning("machines are booted instead of copied", reason=str(error))
            return None

    def _shape(self, template: str, memory_mib: int, vcpus: int) -> Shape:
        image = self._images.get(template)
        if image is None:
            raise VmRefusedError(f"template {template!r} has no image in the configuration")
        files = image.files()
        for path in files.values():
            if not path.is_file():
                raise VmRefusedError(
                    f"template {template!r}: {path} is missing: run `roomkeeper-cloud image`"
                )
        self._checksums.check(template, files, image.checksums)
        emulator = shutil.which(EMULATOR)
        if emulator is None:
            raise VmRefusedError(f"no {EMULATOR}: install Debian's qemu-system-x86")
        kind = accel.best(emulator)
        host = Host(kind, emulator, accel.tsc_khz() if kind == "tcg" else 0)
        return Shape(image, host, memory_mib, vcpus)

    def _new_tag(self, spec: Create) -> Tag:
        template = spec.template
        return Tag(
            self._owner,
            spec.key,
            spec.meeting,
            spec.rooms,
            template.name,
            spec.until,
            self._clock(),
            template.grace_s,
            template.memory_mib,
            free_port(),
            secrets.token_hex(16),
        )

    def _ours(self, key: str) -> Record | None:
        """Return the record, None when there is nothing; raise VmRefusedError when not ours."""
        held = self._records.get(key)
        if (held is None and self._running(key)) or (held and held.tag.owner != self._owner):
            raise VmRefusedError(f"machine {key}: a machine of that id is not ours, left alone")
        return held

    def _running(self, key: str) -> bool:
        return any(one.key == domain_uuid(key) for one in running(self._records.folder))

    def _end(self, key: str) -> None:
        for one in running(self._records.folder):
            if one.key == domain_uuid(key):
                end(one, self._records.folder)
        self._records.remove(key)

    def _listed(self, record: Record, alive: bool) -> Machine:
        phase: Phase = "booting" if alive else "dead"
        machine = machine_of(record.tag, phase, "" if alive else "its process has ended")
        if record.tag.owner == self._owner:
            return machine
        name = machine_name(record.tag.key)
        return Machine(name, "", (), "", phase, 0.0, 0.0, machine.memory_mib, ours=False)

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Hold off whoever else is at this key, in this process and in others."""
        # The key's first two digits name the lock: few files, and seldom two keys at one.
        path = self._records.folder / f"lock-{domain_uuid(key)[:2]}"
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise VmError(f"machine {key}: {error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _stranger(key: str) -> Machine:
    """Return a process whose sockets are in our folder and of which nothing is known."""
    return Machine(key, "", (), "", "booting", 0.0, 0.0, 0, ours=False)
