"""The clean end of a process: SIGTERM and SIGINT become an event."""

import signal
import threading
from types import FrameType

StopEvent = threading.Event


def install() -> StopEvent:
    """Return an event that SIGTERM or SIGINT sets; call it from the main thread."""
    stop = StopEvent()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop
