"""Wait for something observable, with a deadline, in the time that the machine was ours.

A shared host takes its processors back for seconds or minutes at will: that time is no one's
fault here, so neither `until` nor `within` counts it, nor what others here took.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 6
"""So many times what was asked for is the most that is waited, whatever the host takes."""


def stolen_s(stat: Path = Path("/proc/stat")) -> float:
    """Return the seconds since boot that the host kept from a processor, on average of all."""
    ticks = int(stat.read_text().split("\n", 1)[0].split()[8])
    return ticks / os.sysconf("SC_CLK_TCK") / (os.cpu_count() or 1)


def _queued_s(pressure: Path = Path("/proc/pressure/cpu")) -> float:
    """Return the seconds since boot in which some thread here waited for a processor."""
    try:
        return int(pressure.read_text().split("total=", 1)[1].split()[0]) / 1e6
    except (OSError, IndexError, ValueError):  # a kernel that does not tell
        return 0.0


def _taken_s() -> float:
    return stolen_s() + _queued_s()


def until(holds: Callable[[], object], seconds: float = 15.0, what: str = "") -> None:
    """Return when `holds()` is true; fail after `seconds` of a machine that was ours."""
    began, before = time.monotonic(), _taken_s()
    while not holds():
        passed = time.monotonic() - began
        if passed > seconds and passed > min(seconds * PATIENCE, seconds + _taken_s() - before):
            raise AssertionError(f"not within {seconds:g} s: {what or holds}")
        time.sleep(0.005)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail when the block hangs: takes `seconds` in which it need not wait for a processor."""
    began, before = time.monotonic(), _taken_s()
    yield
    passed = time.monotonic() - began
    taken = _taken_s() - before
    assert passed - taken < seconds, f"{passed:.2f} s, {taken:.2f} s of it without a processor"
