"""The sandbox: one engine, compiled guests, and calls that cannot outrun, outgrow or outtalk us.

Nothing here may be shared between threads while a call runs; the host gives it one thread.
"""

import contextlib
import ctypes
from collections.abc import Callable
from types import TracebackType
from typing import Any

import wasmtime
from wasmtime import component

from edge.plugins import ffi
from edge.plugins.epoch import EPOCHS, EpochTimer
from edge.plugins.errors import PluginError
from edge.plugins.manifest import Limits

MAGIC = b"\0asm"
STACK = 128 * 1024
LINE_LIMIT = 512
MEGABYTE = 1 << 20

Log = Callable[[str, str], None]
"""Takes level and message of one line a guest logged."""


class GuestError(PluginError):
    """A call trapped, overran a limit or answered nothing usable."""


def _config() -> wasmtime.Config:
    config = wasmtime.Config()
    config.wasm_component_model = True
    config.epoch_interruption = True
    config.max_wasm_stack = STACK
    # Without these an instance reserves gigabytes of address space.
    config.memory_reservation = MEGABYTE
    config.memory_reservation_for_growth = MEGABYTE
    config.memory_guard_size = 64 * 1024
    # The same input gives the same bits on every machine: calls can be made again from a journal.
    config.cranelift_nan_canonicalization = True
    config.wasm_relaxed_simd = False
    config.wasm_threads = False
    config.wasm_memory64 = False
    config.parallel_compilation = False
    return config


class Sandbox:
    """Compiles and runs guests. close() frees the timer; no call may run then."""

    def __init__(self) -> None:
        self.engine = wasmtime.Engine(_config())
        self.timer = EpochTimer(self.engine)
        self.linker = component.Linker(self.engine)
        self.engine_at, self.linker_at = ffi.address(self.engine), ffi.address(self.linker)
        self._calls_left = 0
        self._lines_left = 0
        self._log: Log = _silent
        # Kept: the linker stores only the callback's address.
        self._callback = ffi.Callback(self._on_log)
        with self.linker.root() as root:
            error = ffi.add_func(ffi.address(root), b"log", 3, self._callback, None, None)
        if error:
            raise PluginError(f"the sandbox cannot be set up: {ffi.take_error(error)}")

    def compile(self, name: str, wasm: bytes, limits: Limits, log: Log | None = None) -> "Guest":
        """Return the guest; PluginError when it is no component of our world or wants more."""
        return Guest(self, name, wasm, limits, log or _silent)

    def begin(self, limits: Limits, log: Log) -> None:
        """Give the next call its quota of host calls and of log lines."""
        self._calls_left, self._lines_left, self._log = limits.host_calls, limits.log_lines, log

    def _on_log(
        self,
        _data: object,
        _context: object,
        _type: object,
        args: "ctypes._Pointer[ffi.Val]",
        _count: int,
        _results: object,
        _result_count: int,
    ) -> int:
        self._calls_left -= 1
        if self._calls_left < 0:
            return int(ffi.error_new(b"wasm trap: too many calls to the host"))
        self._lines_left -= 1
        if self._lines_left >= 0:
            self._log(_short(args[0], 16), _short(args[1], LINE_LIMIT))
        return 0

    def close(self) -> None:
        """Free the timer."""
        self.timer.close()


class Guest:
    """One compiled component."""

    def __init__(self, box: Sandbox, name: str, wasm: bytes, limits: Limits, log: Log) -> None:
        self.box, self.name, self.limits, self.log = box, name, limits, log
        if not wasm.startswith(MAGIC):
            raise PluginError(f"{name} is not a WebAssembly component: build it again")
        try:
            self._component = component.Component(box.engine, wasm)
        except wasmtime.WasmtimeError as error:
            raise PluginError(f"{name} does not load: {str(error)[:300]}") from error
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

    def _export(self, export: str) -> component.ExportIndex:
        index = self._component.get_export_index(export)
        if index is None:
            raise PluginError(f"{self.name} does not export {export}: build it for our world")
        return index

    def call(self, export: str, text: str | None) -> str:
        """Call an export in a fresh instance; GuestError says what stopped it."""
        instance, self._ready = self._ready or Instance(self), None
        with instance:
            return instance.call(export, text)

    def prepare(self) -> None:
        """Make the next call's instance while nobody waits; what stops it, that call will say."""
        if self._ready is None:
            with contextlib.suppress(GuestError):
                self._ready = Instance(self)

    def close(self) -> None:
        """Free the instance made in advance; calling it again does nothing."""
        instance, self._ready = self._ready, None
        if instance is not None:
            instance.close()


class Instance:
    """One live instance with its own memory. Never used again after a GuestError."""

    def __init__(self, guest: Guest) -> None:
        self._guest, self._timer = guest, guest.box.timer
        self._store: int = ffi.store_new(guest.box.engine_at, None, None)
        self._context: int = ffi.store_context(self._store)
        memory = guest.limits.memory_mb * MEGABYTE
        ffi.store_limiter(self._store, memory, 10_000, 32, 32, 4)
        self._funcs: dict[str, Any] = {}
        self._arg, self._result = ffi.Arg(kind=ffi.STRING), ffi.Val()
        # Made once: each would cost a call a third of a microsecond.
        self._arg_at, self._result_at = ctypes.byref(self._arg), ctypes.byref(self._result)
        self._instance = ffi.Instance()
        instance = ctypes.byref(self._instance)
        self._begin()
        error = ffi.instantiate(guest.box.linker_at, self._context, guest.address, instance)
        self._timer.disarm()
        if error:
            self.close()
            raise GuestError(_why(ffi.take_error(error), guest.limits))

    def call(self, export: str, text: str | None) -> str:
        """Call an export, once more if need be, under a deadline of its own."""
        func = self._funcs.get(export) or self._find(export)
        count = 0
        if text is not None:
            data = text.encode("utf-8")
            self._arg.size, self._arg.data, count = len(data), data, 1
        # Last before the call, so that waiting for the interpreter's lock is not the guest's time.
        self._begin()
        error = ffi.func_call(func, self._context, self._arg_at, count, self._result_at, 1)
        self._timer.disarm()
        if error:
            raise GuestError(_why(ffi.take_error(error), self._guest.limits))
        try:
            return self._answer()
        finally:
            ffi.val_delete(self._result_at)

    def _begin(self) -> None:
        guest = self._guest
        guest.box.begin(guest.limits, guest.log)
        ffi.set_epoch_deadline(self._context, EPOCHS)
        self._timer.arm(guest.limits.deadline_ms)

    def _answer(self) -> str:
        size, limit = self._result.size, self._guest.limits.output_kb * 1024
        if size > limit:
            raise GuestError(f"answered {size} bytes; its manifest allows {limit}")
        return ctypes.string_at(self._result.data, size).decode("utf-8")

    def _find(self, export: str) -> Any:
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


def _silent(_level: str, _message: str) -> None:
    return


def _short(text: ffi.Val, limit: int) -> str:
    return ctypes.string_at(text.data, min(text.size, limit)).decode("utf-8", "replace")


def _why(error: str, limits: Limits) -> str:
    """Return one line that says what stopped a guest."""
    said = error.rsplit("wasm trap: ", 1)[-1] if "wasm trap: " in error else error
    line = said.strip().splitlines()[-1].strip()[:300] if said.strip() else "stopped"
    if line == "interrupt":
        return f"ran over its deadline of {limits.deadline_ms} ms"
    return f"stopped: {line}"
