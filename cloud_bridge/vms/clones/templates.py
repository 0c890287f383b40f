"""Templates: guests that were started once and kept, as a memory file and a state beside it.

A folder is a template from the moment it bears its key for a name, and whole before that.
"""

import contextlib
import errno
import fcntl
import hashlib
import http.client
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from cloud_bridge.vms.accel import DIE_WITH_US
from cloud_bridge.vms.answers import Hasty
from cloud_bridge.vms.base import VmError, free_port
from cloud_bridge.vms.clones.command import Shape, line
from cloud_bridge.vms.clones.lines import Lines
from cloud_bridge.vms.clones.monitor import Monitor

log = structlog.get_logger()

BUILD_S = 300.0
MIB = 1 << 20
STATE_MIB = 32
"""Set aside for a state: the devices', not the memory's."""
PART = ".part"
REMEDY = "run `roomkeeper-cloud image`"
VISITS, VISITS_S, VISIT_S = 8, 60.0, 10.0
PAGE_LIMIT = 65536


class MemoryFullError(VmError):
    """The folder for templates has no room for another; the text says which and how much."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A template. ram: its memory; state: all the rest of it."""

    key: str
    ram: Path
    state: Path


class Templates:
    """The templates of one service in `folder`, best one that lies in memory, as /dev/shm does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # What a killed builder of this folder left elsewhere is known by it.
        place = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:12]
        self._mark = f"roomkeeper-template-{place}-"

    def find(self, key: str) -> Saved | None:
        """Return the template, None when it has not been built."""
        place = self.folder / key
        saved = Saved(key, place / "ram", place / "state")
        return saved if saved.state.is_file() and saved.ram.is_file() else None

    def get(self, shape: Shape) -> Saved:
        """Return the template, built now unless it was; raise VmError when it cannot be.

        MemoryFullError when the folder has no room.
        """
        key = shape.key()
        found = self.find(key)
        if found is not None:
            return found
        with self._alone():
            found = self.find(key)
            if found is not None:  # somebody else built it while we waited
                return found
            self._clear_parts()
            return self._build(shape, key)

    def tidy(self, needed: Iterable[str], used: Iterable[str]) -> list[str]:
        """Remove what is neither needed for a template nor under a machine; return what was.

        Nothing happens while a template is being built.
        """
        keep = {*needed, *used}
        if not self.folder.is_dir():
            return []
        with self._alone():
            old = [
                each for each in self.folder.iterdir() if each.is_dir() and each.name not in keep
            ]
            for each in old:
                # Its name goes first: a template that is half removed is none.
                gone = each.with_name(f"{each.name}{PART}")
                with contextlib.suppress(OSError):
                    each.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)
                log.info("template removed", template=each.name)
            return [each.name for each in old]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold off other threads, and other processes, for as long as this lasts."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _no_room(self.folder, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _clear_parts(self) -> None:
        scratch = Path(tempfile.gettempdir())
        for part in (*self.folder.glob(f"*{PART}"), *scratch.glob(f"{self._mark}*")):
            shutil.rmtree(part, ignore_errors=True)

    def _build(self, shape: Shape, key: str) -> Saved:
        began = time.monotonic()
        part = self.folder / f"{key}{PART}"
        try:
            part.mkdir(mode=0o700)
            _reserve(part, shape.memory_mib)
            # Sockets have paths of 107 characters at most.
            with tempfile.TemporaryDirectory(prefix=self._mark) as sockets:
                _boot_and_save(shape, part, Path(sockets) / "t")
            part.rename(self.folder / key)
        except OSError as error:
            raise _no_room(self.folder, error) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
        took = round(time.monotonic() - began, 2)
        log.info("template built", template=key, board=shape.image.board, seconds=took)
        return Saved(key, self.folder / key / "ram", self.folder / key / "state")


def _reserve(part: Path, memory_mib: int) -> None:
    """Take the memory now: a guest that finds none left later is killed where it stands."""
    with (part / "ram").open("wb") as ram:
        os.posix_fallocate(ram.fileno(), 0, memory_mib * MIB)
    with (part / "state").open("wb") as state:
        os.posix_fallocate(state.fileno(), 0, STATE_MIB * MIB)
    (part / "state").unlink()


def _boot_and_save(shape: Shape, part: Path, sockets: Path) -> None:
    """Boot a guest into the folder until its agent waits, and save it."""
    port = free_port()
    # Ended with whoever builds it: what it holds is of no use to anybody else.
    command = [
        *DIE_WITH_US,
        *line(shape, "roomkeeper-template", sockets, port, "template", part / "ram"),
    ]
    with (part / "log").open("wb") as said:
        guest = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
    try:
        with Lines(Path(f"{sockets}.agent"), BUILD_S) as agent:
            if agent.read() != "waiting":
                raise VmError(f"the template's guest has no agent: {REMEDY}")
            _visit(port)
            agent.send("rest")
            if agent.read() != "rested":
                raise VmError(f"the template's guest has an old agent: {REMEDY}")
            with Lines(Path(f"{sockets}.qmp"), BUILD_S) as monitor:
                Monitor(monitor).save(part / "state")
    except VmError as error:
        told = (part / "log").read_text(errors="replace").strip()[-500:]
        raise VmError(f"a template is not built: {error}{f' ({told})' if told else ''}") from error
    finally:
        guest.kill()
        guest.wait()


def _visit(port: int) -> None:
    """Ask for the page some times: what a guest sets up at the first, no copy has to."""
    ends = time.monotonic() + VISITS_S
    for _ in range(VISITS):
        visit = Hasty("127.0.0.1", port, timeout=VISIT_S)
        try:
            visit.request("GET", "/")
            visit.getresponse().read(PAGE_LIMIT)
            if time.monotonic() > ends:
                raise TimeoutError(f"not {VISITS} answers within {VISITS_S:g} s")
        except (OSError, http.client.HTTPException, ValueError) as error:
            log.warning("template not visited: its copies are slower", reason=str(error))
            return
        finally:
            visit.close()


def _no_room(folder: Path, error: OSError) -> VmError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EFBIG):
        return MemoryFullError(
            f"{folder} has no room for another template: free memory there, or choose another"
            " folder in [clones] memory"
        )
    return VmError(f"{folder}: {error}")
