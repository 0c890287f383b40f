"""Deadlines that do not need Python's lock: a POSIX timer advances the engine's epoch.

A thread of this process cannot keep a deadline while others hold the interpreter's lock, so the
kernel's timer calls wasmtime's own function directly (SIGEV_THREAD).
"""

import ctypes
import os
from typing import Any

import wasmtime
from wasmtime import _ffi

from edge.plugins.errors import PluginError

STEP_S = 0.002
"""Time between two epochs once the deadline is near."""
EPOCHS = 3
"""Epochs a call may see: one that an earlier call's timer left behind cannot end it early."""

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
    """Advances one engine's epoch from `arm` + deadline on, until `disarm`. Not idle work."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._libc: Any = ctypes.CDLL(None, use_errno=True)
        # The timer holds the engine's address: the engine must not be freed before close().
        self._engine = engine
        event = _Event(
            value=ctypes.cast(engine.ptr(), ctypes.c_void_p).value,
            notify=_SIGEV_THREAD,
            function=ctypes.cast(_ffi.dll.wasmtime_engine_increment_epoch, ctypes.c_void_p).value,
        )
        self._timer = ctypes.c_void_p()
        made = self._libc.timer_create(
            _CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(self._timer)
        )
        if made != 0:
            raise PluginError(
                f"no timer for plugin deadlines: {os.strerror(ctypes.get_errno())}; "
                "raise the process's limit of pending signals (RLIMIT_SIGPENDING)"
            )
        self._off = ctypes.byref(_Spec())
        self._specs: dict[int, Any] = {}
        # Called twice per plugin call: PyDLL does not give back the interpreter's lock for it.
        self._settime = ctypes.PyDLL(None).timer_settime
        self._settime.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

    def arm(self, deadline_ms: int) -> None:
        """Let a call that was given EPOCHS epochs end `deadline_ms` plus two steps from now."""
        spec = self._specs.get(deadline_ms)
        if spec is None:
            seconds, rest = divmod(deadline_ms, 1000)
            spec = ctypes.byref(_Spec(0, int(STEP_S * 1e9), seconds, rest * 1_000_000))
            self._specs[deadline_ms] = spec
        self._settime(self._timer, 0, spec, None)

    def disarm(self) -> None:
        """Stop advancing the epoch."""
        self._settime(self._timer, 0, self._off, None)

    def close(self) -> None:
        """Delete the timer; calling it again does nothing."""
        if self._timer.value is not None:
            self._libc.timer_delete(self._timer)
            self._timer = ctypes.c_void_p()
