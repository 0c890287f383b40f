"""Compiled guests and their live instances: one call each, or reused and recycled."""

import contextlib
import ctypes
import resource
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from wasmtime import component

from edge.plugins import ffi
from edge.plugins.errors import DeadlineError, GuestError, PluginError
from edge.plugins.manifest import Limits

if TYPE_CHECKING:
    from edge.plugins.sandbox import Sandbox

MEGABYTE = 1 << 20

CALLS_KEPT = 10_000
"""Calls after which a reused instance is made anew."""
GROWTH_EVERY = 64
"""Calls between two looks at how much the process has grown since a reused instance was made."""
GROWTH_MB = 16
# Elements of a table, instances, tables and memories one component may have. Languages with a
# runtime of their own bring many modules and large tables.
_PARTS = {"fresh": (10_000, 32, 32, 4), "reused": (100_000, 256, 64, 8)}

Log = Callable[[str, str], None]
"""Takes level and message of one line a guest logged."""


class Guest:
    """One compiled component; its limits say whether each call gets an instance of its own."""

    def __init__(
        self, box: "Sandbox", name: str, made: component.Component, limits: Limits, log: Log
    ) -> None:
        self.box, self.name, self.limits, self.log = box, name, limits, log
        self._component = made
        wanted = set(self._component.type.imports(box.engine)) - {"log"}
        if wanted:
            raise PluginError(
                f"{name} imports {', '.join(sorted(wanted))[:200]}; a plugin gets only log: "
                "build it for the world roomkeeper:room/plugin, without WASI"
            )
        self.address = ffi.address(self._component)
        self._exports = {name: self._export(name) for name in ("describe", "handle")}
        self.export_at = {name: ffi.address(index) for name, index in self._exports.items()}
        self._ready: Instance | None = None
        self._used: Instance | None = None
        """What the last call leaves behind: to free it takes time that somebody waits for."""

    def compiled(self) -> bytes:
        """Return the machine code, for `Sandbox.load` of this version of wasmtime alone."""
        return bytes(self._component.serialize())

    def _export(self, export: str) -> component.ExportIndex:
        index = self._component.get_export_index(export)
        if index is None:
            raise PluginError(f"{self.name} does not export {export}: build it for our world")
        return index

    def call(self, export: str, text: str | None) -> str:
        """Call an export; GuestError says what stopped it, and its instance is gone then."""
        self._free()
        instance, self._ready = self._ready or Instance(self), None
        try:
            answer = instance.call(export, text)
        except BaseException:
            instance.close()
            raise
        if self.limits.instance == "fresh":
            self._used = instance
        else:
            self._ready = instance
        return answer

    def prepare(self) -> None:
        """Make the next call's instance while nobody waits; what stops it, that call will say."""
        self._free()
        if self._ready is not None and self._ready.worn:
            self.close()
        if self._ready is None:
            with contextlib.suppress(GuestError):
                self._ready = Instance(self)
                self._ready.find("handle")

    def close(self) -> None:
        """Free the instances that are kept; calling it again does nothing."""
        self._free()
        instance, self._ready = self._ready, None
        if instance is not None:
            instance.close()

    def _free(self) -> None:
        instance, self._used = self._used, None
        if instance is not None:
            instance.close()


class Instance:
    """One live instance with its own memory. Never used again after a GuestError."""

    def __init__(self, guest: Guest) -> None:
        self._guest, self._box, self._timer = guest, guest.box, guest.box.timer
        self._limits, self._log, self._output = (
            guest.limits,
            guest.log,
            guest.limits.output_kb << 10,
        )
        self._store: int = ffi.store_new(guest.box.engine_at, None, None)
        self._context: int = ffi.store_context(self._store)
        limits = guest.limits
        ffi.store_limiter(self._store, limits.memory_mb * MEGABYTE, *_PARTS[limits.instance])
        self._calls, self._grown = 0, 0
        if limits.instance == "reused":
            self._grown = _resident_mb() + max(GROWTH_MB, limits.memory_mb // 2)
        self._funcs: dict[str, Any] = {}
        self._arg, self._result = ffi.Arg(kind=ffi.STRING), ffi.Val()
        # Made once: each would cost a call a third of a microsecond.
        self._arg_at, self._result_at = ctypes.byref(self._arg), ctypes.byref(self._result)
        self._instance = ffi.Instance()
        instance = ctypes.byref(self._instance)
        self._begin()
        error = ffi.instantiate(guest.box.linker_at, self._context, guest.address, instance)
        if not self._timer.in_a_row:
            self._timer.rest()
        if error:
            self.close()
            raise _stopped(ffi.take_error(error), guest.limits)

    def call(self, export: str, text: str | None) -> str:
        """Call an export, once more if need be, under a deadline of its own."""
        self._calls += 1
        func = self._funcs.get(export) or self.find(export)
        arg, result, count = self._arg, self._result, 0
        if text is not None:
            given = text.encode("utf-8")
            arg.size, arg.data, count = len(given), given, 1
        # Last before the call, so that waiting for the interpreter's lock is not the guest's time.
        self._begin()
        error = ffi.func_call(func, self._context, self._arg_at, count, self._result_at, 1)
        if not self._timer.in_a_row:
            self._timer.rest()
        if error:
            raise _stopped(ffi.take_error(error), self._limits)
        size = result.size
        try:
            if size > self._output:
                raise GuestError(f"answered {size} bytes; its manifest allows {self._output}")
            data: bytes = ffi.string_at(result.data, size)
            return data.decode("utf-8")
        finally:
            ffi.val_delete(self._result_at)

    @property
    def worn(self) -> bool:
        """Whether a kept instance should make place for a new one: many calls, or much memory."""
        if self._calls >= CALLS_KEPT:
            return True
        return self._calls % GROWTH_EVERY == GROWTH_EVERY - 1 and _resident_mb() > self._grown

    def _begin(self) -> None:
        self._box.begin(self._limits, self._log)
        ffi.set_epoch_deadline(self._context, self._timer.begin(self._limits.deadline_ms))

    def find(self, export: str) -> Any:
        """Return an export, ready to be called; GuestError when it is none."""
        func, index = ffi.Func(), self._guest.export_at[export]
        if not ffi.get_func(ctypes.byref(self._instance), self._context, index, ctypes.byref(func)):
            raise GuestError(f"{export} is not a function")
        # byref keeps `func` alive.
        self._funcs[export] = ctypes.byref(func)
        return self._funcs[export]

    def close(self) -> None:
        """Free the instance and its memory; calling it again does nothing."""
        if self._store:
            ffi.store_delete(self._store)
            self._store = 0

    def __enter__(self) -> "Instance":
        return self

    def __exit__(
        self, _k: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()


def _resident_mb() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // MEGABYTE


def _stopped(error: str, limits: Limits) -> GuestError:
    """Return what stopped a guest, in one line."""
    said = error.rsplit("wasm trap: ", 1)[-1] if "wasm trap: " in error else error
    line = said.strip().splitlines()[-1].strip()[:300] if said.strip() else "stopped"
    if line == "interrupt":
        return DeadlineError(f"ran over its deadline of {limits.deadline_ms} ms")
    return GuestError(f"stopped: {line}")
