"""How guests run on this host: KVM where a guest really starts, else emulation (TCG)."""

import ctypes
import mmap
import os
import platform
import subprocess
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

Accel = Literal["kvm", "tcg"]

PROBE_S = 3.0
PROBE_CPU_S = 1
"""A guest that works needs a fifth of it; one that hangs spins while the first machine waits."""
# mov al,16; out 0xf4,al; hlt: QEMU's debug exit device ends the process with 16 * 2 + 1.
PROBE_CODE, PROBE_EXIT = bytes.fromhex("b010e6f4f4"), 33
DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
"""A guest that hangs in a useless KVM spins for ever, also when its parent was killed."""
RDTSC = bytes.fromhex("0f3148c1e2204809d0c3")
"""rdtsc; shl rdx,32; or rax,rdx; ret"""
LOOKS = 8


@cache
def best(qemu: str = "qemu-system-x86_64") -> Accel:
    """Return the fastest way in which a guest really runs here, tried once per process.

    /dev/kvm may exist and a guest hang in it all the same, so a 512-byte guest is run.
    """
    return "kvm" if Path("/dev/kvm").exists() and runs(qemu, "kvm", PROBE_S) else "tcg"


def runs(qemu: str, accel: Accel, seconds: float) -> bool:
    """Return whether a guest of one instruction ends itself within `seconds` and PROBE_CPU_S."""
    disk = os.memfd_create("probe")
    try:
        os.write(disk, PROBE_CODE.ljust(510, b"\0") + b"\x55\xaa")
        bounds = ["prlimit", f"--cpu={PROBE_CPU_S}:{PROBE_CPU_S}", "--"]
        command = [*DIE_WITH_US, *bounds, qemu, "-accel", accel, "-M", "pc", "-m", "16"]
        command += ["-nodefaults", "-display", "none", "-no-user-config", "-no-reboot"]
        command += ["-device", "isa-debug-exit,iobase=0xf4"]
        command += ["-drive", f"file=/proc/self/fd/{disk},format=raw,if=floppy,readonly=on"]
        done = subprocess.run(
            command, timeout=seconds, pass_fds=[disk], capture_output=True, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        os.close(disk)
    return done.returncode == PROBE_EXIT


@cache
def tsc_khz() -> int:
    """Return the rate of this processor's time stamp counter in kHz, 0 when it cannot be told.

    An emulated guest reads the host's counter but cannot calibrate it: told nothing, a microvm
    hangs in two boots of five.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return 0
    try:
        return _measured_khz()
    except (OSError, ValueError):  # a kernel that lets nobody run what he wrote
        return _stated_khz()


def _measured_khz(seconds: float = 0.05) -> int:
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(RDTSC)
    buffer = (ctypes.c_char * mmap.PAGESIZE).from_buffer(page)
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(buffer))
    ticks, began = _instant(read)
    time.sleep(seconds)
    later, ended = _instant(read)
    del read, buffer
    page.close()
    return round((later - ticks) * 1e6 / (ended - began))


def _instant(
    read: Callable[[], int], clock: Callable[[], int] = time.monotonic_ns
) -> tuple[int, int]:
    """Return counter and clock (ns) as of one instant.

    A host may take the processor back between the two: of several looks the quickest counts.
    """
    looks = [(clock(), read(), clock()) for _ in range(LOOKS)]
    before, ticks, after = min(looks, key=lambda look: look[2] - look[0])
    return ticks, (before + after) // 2


def _stated_khz(cpuinfo: Path = Path("/proc/cpuinfo")) -> int:
    for line in cpuinfo.read_text().splitlines():
        if line.startswith("cpu MHz"):
            return round(float(line.partition(":")[2]) * 1000)
    return 0
