"""QEMU's command line for a template and for its copies: equal in all that a guest can see."""

import functools
import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cloud_bridge.vms.base import VmError, VmRefusedError
from cloud_bridge.vms.domain import PREFIX, Host, domain_uuid, kernel_words
from cloud_bridge.vms.egress import GUEST
from cloud_bridge.vms.image import Image

CHANNEL = "agent.0"
SANDBOX = "on,obsolete=deny,resourcecontrol=deny"
"""spawn stays allowed: a state is read and written through a pipe. Privileges are given up before
QEMU starts, as its own way of it forbids going into the background."""
NO_NEW_PRIVILEGES = ("setpriv", "--no-new-privs", "--")
LEAN = ("psi=0", "cgroup_disable=memory")
"""Accounts that nobody in the guest reads: where it is emulated, copies answer sooner without."""
QUIET = "guest_announce=off"
"""Nobody has to learn where a copy has moved to; told to say so, it is busy with that first."""
SOCKET_LIMIT = 107

Memory = Literal["private", "template", "copy"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a template and its copies have in common."""

    image: Image
    host: Host
    memory_mib: int
    vcpus: int

    def key(self) -> str:
        """Return what changes when anything does that a saved state depends on.

        The counter's rate is left out: it is measured anew in each process and never the same. It
        is the host's, and no template outlives the host's own boot.
        """
        told = {
            "emulator": version(self.host.emulator),
            "machine": [self.image.board, self.host.accel, self.memory_mib, self.vcpus],
            "image": [digest(self.image.kernel), digest(self.image.initramfs)],
            "line": line(self, "", Path(), 0, "template", Path(), tsc=False),
            "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def line(
    shape: Shape,
    name: str,
    sockets: Path,
    port: int,
    memory: Memory,
    ram: Path,
    *,
    tsc: bool = True,
) -> list[str]:
    """Return the command. sockets: path of its sockets without their endings; port: of its page.

    memory: its own, the template's file that is written, or that file as the copy's first content.
    """
    board, bus = shape.image.board, "device" if shape.image.board == "microvm" else "pci"
    silent = "" if bus == "device" else ",romfile="
    words = [word for word in kernel_words(shape.host) if tsc or not word.startswith("tsc_early")]
    forward = f"hostfwd=tcp:127.0.0.1:{port}-{GUEST}:{shape.image.port}"
    speed = "tcg,tb-size=32" if shape.host.accel == "tcg" else "kvm"
    command = [
        *(shape.host.emulator, "-name", f"guest={name}"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-sandbox", SANDBOX),
        *("-M", board, "-accel", speed, "-m", str(shape.memory_mib)),
        *("-cpu", "host" if shape.host.accel == "kvm" else "max", "-smp", str(shape.vcpus)),
        *("-kernel", str(shape.image.kernel), "-initrd", str(shape.image.initramfs)),
        *("-append", " ".join([*words, *shape.image.append.split(), *LEAN, "rk.wait"])),
        *("-serial", "null"),
        *("-qmp", f"unix:{escaped(sockets)}.qmp,server=on,wait=off"),
        *("-chardev", f"socket,id=agent,path={escaped(sockets)}.agent,server=on,wait=off"),
        *("-device", f"virtio-serial-{bus}"),
        *("-device", f"virtserialport,chardev=agent,name={CHANNEL}"),
        *("-netdev", f"user,id=page,restrict=on,ipv6=off,{forward}"),
        *("-device", f"virtio-net-{bus},netdev=page,{QUIET}{silent}"),
    ]  # fmt: skip
    if memory != "private":
        share = "on" if memory == "template" else "off"
        file = f"mem-path={escaped(ram)},share={share}"
        command += ["-object", f"memory-backend-file,id=ram,size={shape.memory_mib}M,{file}"]
        command += ["-machine", "memory-backend=ram"]
    return command + (["-incoming", "defer"] if memory == "copy" else [])


def machine_name(key: str) -> str:
    """Return the name a key's process bears; raise VmRefusedError when the key is no UUID."""
    return f"{PREFIX}-{domain_uuid(key)}"


def escaped(path: Path) -> str:
    """Return the path as a value in a list of QEMU's options."""
    return str(path).replace(",", ",,")


def check_length(folder: Path) -> None:
    """Raise VmRefusedError when sockets in `folder` would have too long a path."""
    longest = len(str(folder / ("0" * 36))) + len(".agent")
    if longest > SOCKET_LIMIT:
        raise VmRefusedError(
            f"{folder}: sockets there have paths of {longest} characters, {SOCKET_LIMIT} at most:"
            " choose a shorter folder"
        )


def version(emulator: str) -> str:
    """Return what QEMU says of itself, asked again when its file changed."""
    return _version(emulator, *_stamp(Path(emulator)))


def digest(file: Path) -> str:
    """Return the file's SHA-256, read again when it changed."""
    return _digest(file, *_stamp(file))


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        known = file.stat()
    except OSError as error:
        raise VmRefusedError(f"{file}: {error.strerror}") from error
    return known.st_mtime_ns, known.st_size, known.st_ino


@functools.lru_cache(maxsize=8)
def _version(emulator: str, *_stamp: int) -> str:
    try:
        done = subprocess.run([emulator, "--version"], capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise VmError(f"{emulator} does not tell its version: {error}") from error
    return done.stdout.decode(errors="replace").partition("\n")[0]


@functools.lru_cache(maxsize=32)
def _digest(file: Path, *_stamp: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
