"""Deadlines that do not need Python's lock: a POSIX timer advances the engine's epoch.

A thread of this process cannot keep a deadline while others hold the interpreter's lock, so the
kernel's timer calls wasmtime's own function directly (SIGEV_THREAD).
"""

import ctypes
import os
import weakref
from time import monotonic
from typing import Any

import wasmtime
from wasmtime import _ffi

from edge.plugins.errors import PluginError

STEP_S = 0.002
"""Time between two epochs once the deadline is near."""
EPOCHS = 3
"""Epochs a call may see: one that an earlier call's timer left behind cannot end it early."""
STRAYS = 5
"""Further ones after a timer has run out, on a machine that is late in starting threads."""

_CLOCK_MONOTONIC = 1
_SIGEV_THREAD = 2


class _Event(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("pad", ctypes.c_byte * 32),
    )


class _Spec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class EpochTimer:
    """Advances one engine's epoch from the deadline of a call on, until `rest`."""

    def __init__(self, engine: wasmtime.Engine, *, in_a_row: bool) -> None:
        """in_a_row: the owner calls `rest`; otherwise every call is followed by one."""
        self.in_a_row = in_a_row
        libc: Any = ctypes.CDLL(None, use_errno=True)
        event = _Event(
            value=ctypes.cast(engine.ptr(), ctypes.c_void_p).value,
            notify=_SIGEV_THREAD,
            function=ctypes.cast(_ffi.dll.wasmtime_engine_increment_epoch, ctypes.c_void_p).value,
        )
        self._timer = ctypes.c_void_p()
        made = libc.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._timer))
        if made != 0:
            raise PluginError(
                f"no timer for plugin deadlines: {os.strerror(ctypes.get_errno())}; "
                "raise the process's limit of pending signals (RLIMIT_SIGPENDING)"
            )
        # Also when nobody closes it, and at the interpreter's end.
        self._end = weakref.finalize(self, _delete, libc, self._timer, engine)
        self._off = ctypes.byref(_Spec())
        self._specs: dict[int, Any] = {}
        self._set_at, self._set_for, self._expired = 0.0, 0, False
        # PyDLL does not give back the interpreter's lock for it.
        self._settime = ctypes.PyDLL(None).timer_settime
        self._settime.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

    def begin(self, deadline_ms: int) -> int:
        """Return how many epochs a call that begins now may see, so that it ends in its time.

        The timer is set only when it was not set a moment ago: what the call began later than that
        it is given in further epochs. `rest` when no call follows.
        """
        now = monotonic()
        late = now - self._set_at
        if deadline_ms == self._set_for and late <= deadline_ms * 0.00025:
            return EPOCHS + 1 + int(late / STEP_S)
        self._note_expired(late)
        self._set(deadline_ms)
        self._set_at, self._set_for = now, deadline_ms
        # Of a timer that has run out, threads that advance the epoch may still be on their way.
        epochs, self._expired = EPOCHS + STRAYS * self._expired, False
        return epochs

    def _note_expired(self, late: float) -> None:
        self._expired = self._expired or (self._set_for > 0 and late * 1000 >= self._set_for)

    def _set(self, deadline_ms: int) -> None:
        """Advance the epoch from the deadline on."""
        spec = self._specs.get(deadline_ms)
        if spec is None:
            seconds, rest = divmod(deadline_ms, 1000)
            spec = ctypes.byref(_Spec(0, int(STEP_S * 1e9), seconds, rest * 1_000_000))
            self._specs[deadline_ms] = spec
        self._settime(self._timer, 0, spec, None)

    def rest(self) -> None:
        """Stop advancing the epoch; the next call sets the timer again."""
        if self._set_for:
            self._note_expired(monotonic() - self._set_at)
            self._set_for = 0
            self._settime(self._timer, 0, self._off, None)

    def close(self) -> None:
        """Delete the timer; calling it again does nothing."""
        self._end()


def _delete(libc: Any, timer: Any, _engine: wasmtime.Engine) -> None:
    """The engine stays alive until here: the timer holds its address."""
    libc.timer_delete(timer)
