"""Machines from libvirt: its list is the truth, and what is not tagged ours is left alone."""

import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import libvirt

from cloud_bridge.types import Capacity, Create, Machine, Phase
from cloud_bridge.vms import accel
from cloud_bridge.vms.base import Limits, VmError, VmRefusedError, free_port
from cloud_bridge.vms.connection import Connection, prepare_embed
from cloud_bridge.vms.domain import (
    NAMESPACE,
    PREFIX,
    Host,
    Image,
    Tag,
    domain_name,
    domain_uuid,
    domain_xml,
    machine_of,
    read_tag,
    tag_xml,
)
from cloud_bridge.vms.files import SCREEN, Files
from cloud_bridge.vms.gpus import pick
from cloud_bridge.vms.making import Maker
from cloud_bridge.vms.usage import Used, of_domains
from cloud_bridge.vms.weights import Weights, guests_of

GONE = (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_DOMAIN_METADATA)
EXISTS = (libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_DOM_EXIST)
REMOVAL_S = 5.0
RUNNING = (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED, libvirt.VIR_DOMAIN_PAUSED)
EMULATOR = "qemu-system-x86_64"

__all__ = ["LibvirtProvider", "Limits"]


class LibvirtProvider:
    """One libvirt at `uri`. owner: written on what is made; only what bears it is ours."""

    def __init__(
        self,
        uri: str,
        owner: str,
        images: Mapping[str, Image],
        limits: Limits,
        clock: Callable[[], float] = time.time,
        files: Path | None = None,
    ) -> None:
        prepare_embed(uri, os.getuid(), os.getgid())
        self._owner = owner
        self._images = images
        self._limits = limits
        self._clock = clock
        self._connection = Connection(uri)
        self._files = Files(files or Path(tempfile.gettempdir()) / f"roomkeeper-{owner}")
        self._maker = Maker(self._files)
        self._lending = threading.Lock()
        self._weights = Weights(guests_of)

    def ensure(self, spec: Create) -> Machine:
        """Return the machine with spec's key, begun now unless it exists."""
        image = self._image(spec.template.name)
        conn = self._connection.get()
        held = self._find(conn, spec.key)
        if held is not None:
            return machine_of(self._our_tag(held, spec.key), "booting")
        tag = self._new_tag(spec)
        local = self._maker.make(spec, tag.token, tag.port, image)
        try:
            with self._lending if image.gpu else nullcontext():
                gpus = pick(conn, image.gpu, spec.template.gpus) if image.gpu else ()
                create(conn, domain_xml(spec, tag, image, self._host(), local, gpus))
        except VmError:
            self._files.remove(spec.key, tag.token)
            raise
        except libvirt.libvirtError as error:
            self._files.remove(spec.key, tag.token)
            if error.get_error_code() in EXISTS:
                held = self._find(conn, spec.key)
                if held is not None:
                    return machine_of(self._our_tag(held, spec.key), "booting")
            raise VmError(f"machine {spec.key}: libvirt does not start it: {error}") from error
        return machine_of(tag, "booting")

    def list(self) -> "list[Machine]":
        """Return every domain; ours as booting (whether one is ready, its page tells) or dead."""
        conn = self._connection.get()
        try:
            domains = conn.listAllDomains(0)
        except libvirt.libvirtError as error:
            raise VmError(f"libvirt does not list its machines: {error}") from error
        found = [self._machine(domain) for domain in domains]
        machines = [machine for machine in found if machine is not None]
        self._files.tidy({machine.key for machine in machines})
        self._weights.forget(machine.token for machine in machines)
        return machines

    def renew(self, key: str, until: float) -> None:
        """Set the end of the lease on the machine itself."""
        conn = self._connection.get()
        domain = self._find(conn, key)
        if domain is None:
            raise VmError(f"machine {key}: gone, its lease cannot be renewed")
        tag = replace(self._our_tag(domain, key), until=until)
        try:
            domain.setMetadata(
                libvirt.VIR_DOMAIN_METADATA_ELEMENT,
                tag_xml(tag),
                PREFIX,
                NAMESPACE,
                libvirt.VIR_DOMAIN_AFFECT_CURRENT,
            )
        except libvirt.libvirtError as error:
            raise VmError(f"machine {key}: its lease is not written: {error}") from error

    def delete(self, key: str) -> None:
        """End the machine at once; nothing happens when it is gone."""
        domain = self._find(self._connection.get(), key)
        if domain is not None:
            with suppress(_GoneError):  # it ended by itself since
                self._our_tag(domain, key)
                self._destroy(domain, key)
        self._files.remove(key)

    def capacity(self) -> Capacity:
        """Return the configured limits, or what the host has and strangers leave of it."""
        try:
            _, memory, cores, *_ = self._connection.get().getInfo()
        except libvirt.libvirtError as error:
            raise VmError(f"libvirt does not tell its host's size: {error}") from error
        strangers = (one for one in self.list() if not one.ours and one.phase == "booting")
        taken = sum(stranger.memory_mib for stranger in strangers)
        return self._limits.on(memory, cores, taken)

    def used(self) -> "Sequence[Used]":
        """Return what each of our machines has used so far."""
        names = {domain_name(one.key): one.key for one in self.list() if one.ours}
        return of_domains(self._connection.get(), names)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _host(self) -> Host:
        emulator = shutil.which(EMULATOR)
        if emulator is None:
            raise VmRefusedError(f"no {EMULATOR}: install Debian's qemu-system-x86")
        kind = accel.best(emulator)
        return Host(kind, emulator, accel.tsc_khz() if kind == "tcg" else 0)

    def _image(self, template: str) -> Image:
        image = self._images.get(template)
        if image is None:
            raise VmRefusedError(f"template {template!r} has no image in the configuration")
        self._maker.check(template, image)
        return image

    def _new_tag(self, spec: Create) -> Tag:
        return Tag(
            self._owner,
            spec.key,
            spec.meeting,
            spec.rooms,
            spec.template.name,
            spec.until,
            self._clock(),
            spec.template.grace_s,
            spec.template.memory_mib,
            free_port(),
            secrets.token_hex(16),
        )

    def _machine(self, domain: "libvirt.virDomain") -> Machine | None:
        try:
            name, state = domain.name(), domain.state()[0]
            memory = domain.maxMemory() // 1024
            tag = _tag(domain)
        except libvirt.libvirtError:  # it ended between the list and the question
            return None
        phase: Phase = "booting" if state in RUNNING else "dead"
        if tag is None or tag.owner != self._owner or name != domain_name(tag.key):
            return Machine(name, "", (), "", phase, 0.0, 0.0, memory, ours=False)
        if phase == "booting":
            self._weights.weigh(domain, name, tag.token, self._factor(tag))
        machine = machine_of(tag, phase, "" if phase == "booting" else f"libvirt state {state}")
        return replace(machine, screen=self._screen(tag)) if phase == "booting" else machine

    def _screen(self, tag: Tag) -> str:
        image = self._images.get(tag.template)
        if image is None or not image.screen:
            return ""
        return str(self._files.place(tag.key, tag.token) / SCREEN)

    def _factor(self, tag: Tag) -> int:
        image = self._images.get(tag.template)
        return 1 if image is None or self._clock() >= tag.until else image.priority

    def _our_tag(self, domain: "libvirt.virDomain", key: str) -> Tag:
        try:
            tag = _tag(domain)
        except libvirt.libvirtError as error:
            kind = _GoneError if error.get_error_code() in GONE else VmError
            raise kind(f"machine {key}: {error}") from error
        if tag is None or tag.owner != self._owner or tag.key != key:
            raise VmRefusedError(f"machine {key}: a machine of that id is not ours, left alone")
        return tag

    @staticmethod
    def _destroy(domain: "libvirt.virDomain", key: str) -> None:
        try:
            domain.destroy()
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (*GONE, *EXISTS):
                raise VmError(f"machine {key}: libvirt does not end it: {error}") from error

    @staticmethod
    def _find(conn: "libvirt.virConnect", key: str) -> "libvirt.virDomain | None":
        try:
            return conn.lookupByUUIDString(domain_uuid(key))
        except libvirt.libvirtError as error:
            if error.get_error_code() in GONE:
                return None
            raise VmError(f"machine {key}: libvirt does not look it up: {error}") from error


def create(conn: "libvirt.virConnect", xml: str) -> None:
    """Begin the domain, once one of that name that ended has let go of it; libvirtError if not.

    One that is being removed is neither listed nor found any more, and still holds its name.
    """
    give_up = time.monotonic() + REMOVAL_S
    while True:
        try:
            conn.createXML(xml, 0)
        except libvirt.libvirtError as error:
            if "already being removed" not in str(error) or time.monotonic() >= give_up:
                raise
            time.sleep(0.02)
        else:
            return


class _GoneError(VmError):
    """The machine ended between two questions about it."""


def _tag(domain: "libvirt.virDomain") -> Tag | None:
    try:
        text = domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            return None
        raise
    return read_tag(text)
