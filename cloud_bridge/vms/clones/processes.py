"""The processes that run machines: known by the name and the sockets on their command line."""

import contextlib
import os
import select
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cloud_bridge.vms.base import VmError
from cloud_bridge.vms.clones.command import NO_NEW_PRIVILEGES, escaped

START_S, GONE_S = 60.0, 10.0


@dataclass(frozen=True, slots=True)
class Running:
    """A QEMU whose sockets are in our folder. key: the name of its sockets."""

    pid: int
    key: str


def running(folder: Path) -> list[Running]:
    """Return every QEMU whose monitor is in `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            key = _key(int(entry.name), folder)
            if key:
                found.append(Running(int(entry.name), key))
    return found


def _key(pid: int, folder: Path) -> str:
    """Return the key that a process runs in `folder`, "" when it is none of them."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    if b"-qmp" not in words:
        return ""
    monitor = words[words.index(b"-qmp") + 1]
    before, _, after = monitor.partition(f"unix:{escaped(folder)}/".encode())
    name = after.partition(b".qmp,")[0].decode(errors="replace")
    return "" if before or "/" in name else name


def start(command: list[str], log: Path) -> None:
    """Start a QEMU that outlives us; raise VmError with what it says when it does not start.

    It goes into the background by itself once its sockets are there.
    """
    try:
        with log.open("wb") as said:
            begun = subprocess.Popen(
                [*NO_NEW_PRIVILEGES, *command, "-daemonize"],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        try:
            failed = _failed(begun)
        except BaseException:
            begun.kill()
            begun.wait()
            raise
        text = log.read_text(errors="replace").strip()[-500:] if failed else ""
    except OSError as error:
        raise VmError(f"QEMU does not start: {error}") from error
    if failed:
        raise VmError(f"QEMU does not start: {text or failed}")


def _failed(begun: "subprocess.Popen[bytes]") -> str:
    """Return why a process did not go into the background, "" when it did."""
    # `Popen.wait` with a time-out looks every 50 ms only: half as long as all of this takes.
    handle = os.pidfd_open(begun.pid)
    try:
        ended = bool(select.select([handle], [], [], START_S)[0])
    finally:
        os.close(handle)
    if not ended:
        begun.kill()
    code = begun.wait()
    return "" if code == 0 else f"it ended with {code}" if ended else f"not within {START_S:g} s"


def end(one: Running, folder: Path) -> None:
    """Kill a machine's process and return when it has gone; nothing happens when it had."""
    try:
        handle = os.pidfd_open(one.pid)
    except ProcessLookupError:
        return
    except OSError as error:
        raise VmError(f"machine {one.key}: its process {one.pid}: {error}") from error
    try:
        if _key(one.pid, folder) != one.key:  # its number is another's by now
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        if not select.select([handle], [], [], GONE_S)[0]:
            raise VmError(f"machine {one.key}: its process {one.pid} does not end")
    except OSError as error:
        raise VmError(f"machine {one.key}: its process {one.pid}: {error}") from error
    finally:
        os.close(handle)
