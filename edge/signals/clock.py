"""The clock as a source: whether wall time may be believed, and a jump of it.

A Raspberry Pi has no clock battery: after a start without network time it is wrong, and nothing
time-based may happen until it was set.
"""

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path

from edge.contracts.base import Now
from edge.contracts.signals import ClockChecked, Signal

JUMP_S = 30.0
STA_UNSYNC = 0x0040
RTC = Path("/dev/rtc0")
MARKER = Path("/run/systemd/timesync/synchronized")


def kernel_synchronised() -> bool:
    """Return whether the kernel's clock is disciplined by network time (adjtimex)."""

    class Timex(ctypes.Structure):
        # modes, offset, freq, maxerror, esterror, status; the rest is padding enough.
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
            ("rest", ctypes.c_byte * 256),
        )

    timex = Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    return bool(state >= 0 and not timex.status & STA_UNSYNC)


def believable(wall: float, newest_known: float, *, synchronised: bool, hardware: bool) -> str:
    """Return why `wall` cannot be believed, "" when it can. Network time is always believed.

    newest_known: the latest instant that is known to be past (the software's and the journal's).
    """
    if synchronised:
        return ""
    if wall < newest_known:
        return "it is earlier than what was journaled before"
    if not hardware:
        return "no network time yet and no hardware clock"
    return ""


class ClockSource:
    """Posts ClockChecked at start, when trust changes and when wall time jumps. Thread `clock`."""

    name = "clock"

    def __init__(
        self,
        post: Callable[[Signal], None],
        clock: Callable[[], Now],
        newest_known: float,
        *,
        always_trust: bool = False,
        period_s: float = 5.0,
    ) -> None:
        self._post = post
        self._clock = clock
        self._newest = newest_known
        self._always = always_trust
        self._period = period_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock")
        self._last: Now | None = None
        self._trusted: bool | None = None

    def start(self) -> None:
        """Check once before returning, then keep checking."""
        self.check()
        self._thread.start()

    def stop(self) -> None:
        """End within a second."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def check(self) -> None:
        """Compare wall time with the monotonic clock and with what is known; post what changed."""
        now = self._clock()
        jump = 0.0
        if self._last is not None:
            jump = (now.wall - self._last.wall) - (now.mono - self._last.mono)
        self._last = now
        reason = self._doubt(now)
        jumped = abs(jump) >= JUMP_S
        trusted = not reason
        if trusted != self._trusted or jumped:
            self._trusted = trusted
            why = f"wall time jumped by {jump:+.0f} s" if jumped else reason
            self._post(ClockChecked(self.name, trusted, why))

    def _doubt(self, now: Now) -> str:
        synchronised = MARKER.exists() or kernel_synchronised()
        hardware = self._always or RTC.exists()
        return believable(now.wall, self._newest, synchronised=synchronised, hardware=hardware)

    def _run(self) -> None:
        while not self._stop.wait(self._period):
            self.check()
