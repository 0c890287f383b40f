"""Wait for something observable, with a deadline."""

import time
from collections.abc import Callable


def until(holds: Callable[[], object], seconds: float = 15.0, what: str = "") -> None:
    """Return when `holds()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or holds}")
        time.sleep(0.005)
