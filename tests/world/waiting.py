"""Wait for something observable, with a deadline, in the time that the machine was ours.

A shared host takes its processors back for seconds or minutes at will, and tells so: that time is
no one's fault here, and is not counted. What others on this machine take is.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 6
"""So many times what was asked for is the most that is waited, whatever the host takes."""
PROCESSOR = re.compile(r"^cpu\d+ (.*)$", re.MULTILINE)
STEAL = 7


class Own:
    """Seconds since it was made, less what the host kept from the processor that lost most."""

    def __init__(self, stat: Path = Path("/proc/stat")) -> None:
        self._stat = stat
        self._began = time.monotonic()
        self._before = self._stolen()

    def passed(self) -> float:
        """Return all the time since it was made: cheap, and never less than what was ours."""
        return time.monotonic() - self._began

    def seconds(self) -> float:
        """Return the time that was ours: at least one PATIENCEth of what passed."""
        passed = self.passed()
        taken = max(now - then for now, then in zip(self._stolen(), self._before, strict=True))
        return max(passed / PATIENCE, passed - taken)

    def _stolen(self) -> list[float]:
        ticks = os.sysconf("SC_CLK_TCK")
        lines = PROCESSOR.findall(self._stat.read_text())
        return [int(line.split()[STEAL]) / ticks for line in lines]


def until(holds: Callable[[], object], seconds: float = 15.0, what: str = "") -> None:
    """Return when `holds()` is true; fail after `seconds` of a machine that was ours."""
    own = Own()
    while not holds():
        if own.passed() > seconds and own.seconds() > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what or holds}")
        time.sleep(0.005)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail when the block takes `seconds` of a machine that was ours."""
    own = Own()
    yield
    took = own.seconds()
    assert took < seconds, f"it took {took:.2f} s, not less than {seconds:g} s"
