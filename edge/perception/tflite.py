"""The one loader of TFLite models: checksum first, then the interpreter, single-threaded."""

import hashlib
import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.perception.errors import ModelError

SUMS = "SHA256SUMS"
IDENTIFIER = b"TFL3"
RUNTIMES = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")


class TfliteModel:
    """A model with one input and one output tensor; used by one thread at a time."""

    def __init__(self, path: Path, input_shape: tuple[int, ...], output_shape: tuple[int, ...]):
        # TFLite follows the offsets inside a file without checking them: a damaged model ends the
        # process, not the call. So only bytes that somebody vouched for ever reach it.
        data = read_checked(path)
        if data[4:8] != IDENTIFIER:
            raise ModelError(f"{path} is not a TFLite model: it has no {IDENTIFIER.decode()} mark")
        try:
            self._interpreter = _interpreter_class()(model_content=data, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{path} is not a model TFLite can load: {error}") from error
        self._input = _only(self._interpreter.get_input_details(), path, "input", input_shape)
        self._output = _only(self._interpreter.get_output_details(), path, "output", output_shape)
        self.digest = hashlib.sha256(data).hexdigest()

    def run(self, value: NDArray[Any]) -> NDArray[np.float32]:
        """Return the output for an input of the model's shape; it is converted to its dtype."""
        self._interpreter.set_tensor(
            self._input["index"], np.ascontiguousarray(value, dtype=self._input["dtype"])
        )
        self._interpreter.invoke()
        output: NDArray[np.float32] = self._interpreter.get_tensor(self._output["index"])
        return output


def read_checked(path: Path) -> bytes:
    """Return the file's bytes; raise ModelError unless SHA256SUMS beside it names exactly them."""
    sums = path.parent / SUMS
    try:
        data = path.read_bytes()
        lines = sums.read_text("utf-8").splitlines()
    except OSError as error:
        raise ModelError(f"{error.filename}: {error.strerror}; reinstall roomkeeper") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{sums} is not text; reinstall roomkeeper") from error
    expected = {words[1]: words[0] for line in lines if len(words := line.split()) == 2}
    digest = hashlib.sha256(data).hexdigest()
    if path.name not in expected:
        raise ModelError(
            f"{sums} does not name {path.name}; for a model of your own add the line "
            f"'{digest}  {path.name}'"
        )
    if digest != expected[path.name]:
        raise ModelError(
            f"{path} was changed (sha256 {digest[:16]}..., {SUMS} says "
            f"{expected[path.name][:16]}...); reinstall roomkeeper or put the right file back"
        )
    return data


def _interpreter_class() -> Any:
    for name in RUNTIMES:
        try:
            return importlib.import_module(name).Interpreter
        except ModuleNotFoundError:
            continue
    raise ModelError("no TFLite runtime: install roomkeeper with its extra, roomkeeper[edge]")


def _only(
    tensors: list[dict[str, Any]], path: Path, what: str, shape: tuple[int, ...]
) -> dict[str, Any]:
    if len(tensors) != 1 or tuple(tensors[0]["shape"]) != shape:
        found = [tuple(int(size) for size in tensor["shape"]) for tensor in tensors]
        raise ModelError(f"{path} has {what} {found}, expected one of {shape}")
    return tensors[0]
