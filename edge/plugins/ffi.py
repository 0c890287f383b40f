"""The few wasmtime functions a call needs, bound once: the stock binding rebuilds them per call.

Layouts are those of wasmtime's C API (component values); the lock file pins the version and
tests/plugins/test_sandbox.py checks the size against the binding's own.
"""

import ctypes
from typing import Any

from wasmtime import _ffi

STRING = 12
"""Kind of a component value that holds a string."""


class Val(ctypes.Structure):
    """A component value seen as a string: `kind`, then size and address of its bytes."""

    _fields_ = (
        ("kind", ctypes.c_uint8),
        ("size", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("rest", ctypes.c_byte * (ctypes.sizeof(_ffi.wasmtime_component_val_t) - 24)),
    )


class Arg(ctypes.Structure):
    """The same seen from the giving side: setting `data` to bytes keeps them alive."""

    _fields_ = (
        ("kind", ctypes.c_uint8),
        ("size", ctypes.c_size_t),
        ("data", ctypes.c_char_p),
        ("rest", ctypes.c_byte * (ctypes.sizeof(Val) - 24)),
    )


class Bytes(ctypes.Structure):
    """A byte vector of the C API."""

    _fields_ = (("size", ctypes.c_size_t), ("data", ctypes.c_void_p))


Instance = _ffi.wasmtime_component_instance_t
Func = _ffi.wasmtime_component_func_t
Callback = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.POINTER(Val),
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.c_size_t,
)

string_at: Any = ctypes.string_at

_P, _N = ctypes.c_void_p, ctypes.c_size_t


def _bind(name: str, result: Any, *arguments: Any) -> Any:
    # Indexing the library gives a function object of our own; attributes are the binding's.
    function = _ffi.dll[name]
    function.restype = result
    function.argtypes = arguments
    return function


def _quick(name: str, result: Any, *arguments: Any) -> Any:
    # Keeps the interpreter's lock: giving it back and waiting for it costs more than the call.
    # (A guest that spins while it is instantiated does so at load already, and is never called.)
    return ctypes.PYFUNCTYPE(result, *arguments)((name, _ffi.dll))


store_new = _quick("wasmtime_store_new", _P, _P, _P, _P)
store_context = _quick("wasmtime_store_context", _P, _P)
store_delete = _quick("wasmtime_store_delete", None, _P)
store_limiter = _quick("wasmtime_store_limiter", None, _P, *([ctypes.c_int64] * 5))
set_epoch_deadline = _quick("wasmtime_context_set_epoch_deadline", None, _P, ctypes.c_uint64)
instantiate = _quick("wasmtime_component_linker_instantiate", _P, _P, _P, _P, _P)
get_func = _quick("wasmtime_component_instance_get_func", ctypes.c_bool, _P, _P, _P, _P)
func_call = _bind("wasmtime_component_func_call", _P, _P, _P, _P, _N, _P, _N)
val_delete = _quick("wasmtime_component_val_delete", None, _P)
add_func = _bind(
    "wasmtime_component_linker_instance_add_func",
    _P, _P, ctypes.c_char_p, _N, Callback, _P, _P,
)  # fmt: skip
error_new = _quick("wasmtime_error_new", _P, ctypes.c_char_p)
error_message = _quick("wasmtime_error_message", None, _P, _P)
error_delete = _quick("wasmtime_error_delete", None, _P)
bytes_delete = _quick("wasm_byte_vec_delete", None, _P)


def address(owner: Any) -> int:
    """Return the address a binding's object owns."""
    return int(ctypes.cast(owner.ptr(), ctypes.c_void_p).value or 0)


def take_error(error: int) -> str:
    """Return the text of an error and free it."""
    text = Bytes()
    error_message(error, ctypes.byref(text))
    said = ctypes.string_at(text.data, text.size) if text.size else b""
    bytes_delete(ctypes.byref(text))
    error_delete(error)
    return said.decode("utf-8", "replace")
