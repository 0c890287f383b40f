"""What a machine has on this host besides libvirt's: a folder of its own, gone with it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from uuid import UUID

from cloud_bridge.vms.base import VmError, VmRefusedError

START_S = 20.0
STRAY_S = 600.0
"""A folder without a machine may be that of one another reconciler makes, this long."""
WIRE, LINE, SCREEN = "wire", "line", "screen"
PATH_MAX = 107
"""A socket's path has so many characters at most."""


class Files:
    """The folders of machines, in `root`, one for each attempt: key/token.

    Others can enter but not list them, since QEMU may be another user.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, key: str, token: str) -> Path:
        """Return where one attempt at the machine has its folder, made or not."""
        return self.root / domain_uuid(key) / token[:8]

    def folder(self, key: str, token: str) -> Path:
        """Return a new folder for one attempt at the machine; raise VmError."""
        path = self.place(key, token)
        try:
            for each in (self.root, path.parent, path):
                each.mkdir(parents=True, exist_ok=True)
                each.chmod(0o711)
        except OSError as error:
            raise VmError(f"machine {key}: no folder of its own: {error}") from error
        return path

    def network(self, key: str, folder: Path, ports: Sequence[int], egress: Sequence[str]) -> Path:
        """Start the process that is the machine's network; return its socket or raise VmError.

        ports: on the host's loopback, and the guest's that it leads to.
        """
        wire = folder / WIRE
        if len(str(wire)) > PATH_MAX:
            raise VmError(f"machine {key}: {wire} is too long for a socket: shorten provider.files")
        line = [sys.executable, "-m", "cloud_bridge.vms.egress", str(wire)]
        try:
            done = subprocess.run(
                [*line, *(str(port) for port in ports), *egress],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=START_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise VmError(f"machine {key}: its network does not start: {error}") from error
        if done.returncode:
            raise VmError(f"machine {key}: its network does not start: {done.stderr.strip()}")
        return wire

    def remove(self, key: str, token: str = "") -> None:
        """Remove what belongs to the machine, or to one attempt at it; nothing when it is gone."""
        shutil.rmtree(self.root / domain_uuid(key) / token[:8], ignore_errors=True)

    def tidy(self, alive: Collection[str]) -> list[str]:
        """Remove folders of machines that are long gone; return their keys."""
        removed: list[str] = []
        try:
            entries = list(os.scandir(self.root))
        except OSError:
            return removed
        for entry in entries:
            if entry.name in alive or not _is_key(entry.name):
                continue
            try:
                stray = time.time() - entry.stat(follow_symlinks=False).st_mtime > STRAY_S
            except OSError:
                continue
            if stray:
                self.remove(entry.name)
                removed.append(entry.name)
        return removed


def socket_in(folder: Path, name: str) -> Path:
    """Return where a socket of a machine is to be; raise VmError when its name is too long."""
    path = folder / name
    if len(str(path)) > PATH_MAX:
        raise VmError(f"{path} is too long for a socket: shorten provider.files")
    return path


def domain_uuid(key: str) -> str:
    """Return the key as libvirt's UUID; raise VmRefusedError when it is none."""
    try:
        return str(UUID(key))
    except ValueError:
        raise VmRefusedError(f"machine key {key!r} is no UUID") from None


def _is_key(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
