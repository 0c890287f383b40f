"""A template's files as the operator named them: checked against their checksums, never written.

A machine writes to an overlay of its own, which goes with it.
"""

import hashlib
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from cloud_bridge.vms.base import VmError, VmRefusedError

CHUNK = 1 << 20
OVERLAY, SEED = "disk.qcow2", "seed.iso"
CREATE_S = 30.0

Format = Literal["qcow2", "raw"]
_Stamp = tuple[int, int, int, int]


class Checksums:
    """Remembers what it has read, until a file changes. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[_Stamp, str]] = {}
        self._lock = threading.Lock()

    def check(self, template: str, files: Mapping[str, Path], wanted: Mapping[str, str]) -> None:
        """Raise VmRefusedError unless each file named in `wanted` has that SHA-256."""
        for kind, checksum in wanted.items():
            path = files.get(kind)
            if path is None:
                raise VmRefusedError(f"template {template!r}: a checksum of {kind}, and no {kind}")
            found = self._sum(template, path)
            if found != checksum:
                raise VmRefusedError(
                    f"template {template!r}: {kind} {path} is not the one it should be: "
                    f"SHA-256 {found}, wanted {checksum}; put the right file there, "
                    f"or correct checksums.{kind}"
                )

    def _sum(self, template: str, path: Path) -> str:
        try:
            with self._lock, path.open("rb") as file:
                stamp = _stamp(path)
                known = self._known.get(path)
                if known is None or known[0] != stamp:
                    digest = hashlib.sha256()
                    while chunk := file.read(CHUNK):
                        digest.update(chunk)
                    known = self._known[path] = stamp, digest.hexdigest()
                return known[1]
        except OSError as error:
            raise VmRefusedError(f"template {template!r}: cannot read {path}: {error}") from error


def _stamp(path: Path) -> _Stamp:
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def format_of(path: Path) -> Format:
    """Return how the image is written, told by its first bytes."""
    with path.open("rb") as file:
        return "qcow2" if file.read(4) == b"QFI\xfb" else "raw"


def overlay(base: Path, folder: Path, gib: int) -> Path:
    """Make a machine's own disk on top of `base`; raise VmError. gib: size, 0: the base's."""
    program = shutil.which("qemu-img")
    if program is None:
        raise VmRefusedError("no qemu-img: install Debian's qemu-utils")
    path = folder / OVERLAY
    line = [program, "create", "-q", "-f", "qcow2", "-F", format_of(base), "-b", str(base)]
    line += [str(path), *([f"{gib}G"] if gib else [])]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=CREATE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VmError(f"no overlay of {base}: {error}") from error
    if done.returncode:
        raise VmError(f"no overlay of {base}: {done.stderr.strip()}")
    return path
