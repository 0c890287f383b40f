"""A meeting's machine goes before others while its lease runs, and is as all others after it.

libvirt's scheduler weights where the host has cgroups for it, else nice levels where we may set
them, else nothing, which is said once. Only machines of ours are touched.
"""

import math
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import libvirt
import structlog

log = structlog.get_logger()

SHARES = "cpu_shares"
NORMAL = (1024, 100)
"""What a weight is when nobody set it: with the first version of cgroups, with the second."""
STEP = 1.25
"""So much more time a level of niceness gives."""


def nice_level(factor: int) -> int:
    """Return the level that gives about `factor` times the time of one at level 0."""
    return -round(math.log(max(1, factor)) / math.log(STEP))


def shares(now: int, factor: int) -> int:
    """Return the weight for `factor`, told from the present one, which may be of another factor."""
    normal = NORMAL[0] if now % NORMAL[0] == 0 else NORMAL[1]
    return normal * factor


@dataclass
class Weights:
    """What was set, by token of the machine. processes: of a domain's name, on this host."""

    processes: Callable[[str], Iterable[int]]
    _set: dict[str, int] = field(default_factory=dict)
    _niced: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _told: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def weigh(self, domain: "libvirt.virDomain", name: str, token: str, factor: int) -> None:
        """Give the machine `factor` times the time of another, 1 for as much.

        A weight is set once. Levels are looked at each time: a thread has its maker's level of the
        moment in which its making began, and can come to be after every other one was set.
        """
        with self._lock:  # who measures lists machines, too
            self._weigh(domain, name, token, factor)

    def forget(self, alive: Iterable[str]) -> None:
        """Forget machines that are gone."""
        keep = set(alive)
        with self._lock:
            self._set = {token: factor for token, factor in self._set.items() if token in keep}
            self._niced = {token: pids for token, pids in self._niced.items() if token in keep}

    def _weigh(self, domain: "libvirt.virDomain", name: str, token: str, factor: int) -> None:
        if self._set.get(token, 1) == factor:
            if token in self._niced:
                self._nice(token, name, factor)
            return
        self._set[token] = factor
        try:
            present = domain.schedulerParameters()
            value = {SHARES: shares(int(present[SHARES]), factor)}
            domain.setSchedulerParametersFlags(value, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except (libvirt.libvirtError, KeyError):
            if not self._nice(token, name, factor) and not self._told:
                self._told = True
                log.warning("no priority for meetings' machines: no cgroups, no right to nice")

    def _nice(self, token: str, name: str, factor: int) -> bool:
        # To look for a process takes reading all of them, so what was found is kept.
        self._niced[token] = self._niced.get(token) or tuple(self.processes(name))
        return _nice(self._niced[token], nice_level(factor))


def _nice(pids: Iterable[int], level: int) -> bool:
    """Give every thread this level; return whether any has it now."""
    done = False
    for pid in pids:
        seen: set[int] = set()
        while new := _threads(pid) - seen:
            seen |= new
            for thread in new:
                try:
                    if os.getpriority(os.PRIO_PROCESS, thread) != level:
                        os.setpriority(os.PRIO_PROCESS, thread, level)
                except OSError:  # not ours to set, or it ended
                    continue
                done = True
        set_group(pid, level)
    return done


def set_group(pid: int, level: int, proc: Path = Path("/proc")) -> None:
    """Set the level of the guest's session: between sessions, levels of threads count nothing.

    Ours is left alone. We may have none: a service that a container's first process starts without
    a session of its own is in the kernel's default group, and its file is empty.
    """
    own, file = proc / "self/autogroup", proc / f"{pid}/autogroup"
    try:
        name, *_, now = file.read_text().split()
        if own.read_text().split()[:1] != [name] and now != str(level):
            file.write_text(str(level))
    except (OSError, ValueError):  # not ours to set, it ended, or it has no group
        return


def _threads(pid: int) -> set[int]:
    try:
        return {int(entry) for entry in os.listdir(f"/proc/{pid}/task")}
    except OSError:
        return set()


def guests_of(name: str, proc: Path = Path("/proc")) -> list[int]:
    """Return the QEMU processes of a domain's name on this host."""
    mark = f"guest={name}".encode()
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if not (entry / "exe").readlink().name.startswith("qemu-system"):
                continue
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.split(b",")[0] == mark for word in words):
            found.append(int(entry.name))
    return found
