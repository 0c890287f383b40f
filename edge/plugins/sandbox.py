"""The sandbox: one engine, compiled guests, and calls that cannot outrun, outgrow or outtalk us.

Nothing here may be shared between threads while a call runs; the host gives it one thread.
"""

import ctypes

import wasmtime
from wasmtime import component

from edge.plugins import ffi
from edge.plugins.epoch import EpochTimer
from edge.plugins.errors import GuestError, PluginError
from edge.plugins.guest import Guest, Instance, Log
from edge.plugins.manifest import Limits

__all__ = ["Guest", "GuestError", "Instance", "Sandbox"]

MAGIC = b"\0asm"
STACK = 128 * 1024
LINE_LIMIT = 512
MEGABYTE = 1 << 20


def _config() -> wasmtime.Config:
    config = wasmtime.Config()
    config.wasm_component_model = True
    config.epoch_interruption = True
    config.max_wasm_stack = STACK
    # Whatever 32 bits can name is the guest's own or nobody's: no access needs a check. It is
    # address space alone, of one or two instances a plugin.
    config.memory_reservation = 4 << 30
    config.memory_guard_size = 32 * MEGABYTE
    # What a guest begins with is copied when its instance is made, while nobody waits, not page by
    # page at the first touch, in its call.
    config.memory_init_cow = False
    # The same input gives the same bits on every machine: calls can be made again from a journal.
    config.cranelift_nan_canonicalization = True
    config.wasm_relaxed_simd = False
    config.wasm_threads = False
    config.wasm_memory64 = False
    config.parallel_compilation = False
    return config


class Sandbox:
    """Compiles and runs guests. close() frees the timer; no call may run then."""

    def __init__(self, *, in_a_row: bool = False) -> None:
        """in_a_row: calls follow each other; the owner says `timer.rest()` when none does."""
        self.engine = wasmtime.Engine(_config())
        self.timer = EpochTimer(self.engine, in_a_row=in_a_row)
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

    def compile(self, name: str, wasm: bytes, limits: Limits, log: Log | None = None) -> Guest:
        """Return the guest; PluginError when it is no component of our world or wants more."""
        if not wasm.startswith(MAGIC):
            raise PluginError(f"{name} is not a WebAssembly component: build it again")
        try:
            made = component.Component(self.engine, wasm)
        except wasmtime.WasmtimeError as error:
            raise PluginError(f"{name} does not load: {str(error)[:300]}") from error
        return Guest(self, name, made, limits, log or _silent)

    def load(self, name: str, compiled: bytes, limits: Limits, log: Log | None = None) -> Guest:
        """Return the guest from what `Guest.compiled` gave; PluginError when made by another.

        It is machine code: only bytes whose origin is proven may come here.
        """
        try:
            made = component.Component.deserialize(self.engine, compiled)
        except wasmtime.WasmtimeError as error:
            raise PluginError(f"{name} was compiled otherwise: {str(error)[:300]}") from error
        return Guest(self, name, made, limits, log or _silent)

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


def _silent(_level: str, _message: str) -> None:
    return


def _short(text: ffi.Val, limit: int) -> str:
    return ctypes.string_at(text.data, min(text.size, limit)).decode("utf-8", "replace")
