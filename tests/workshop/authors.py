"""A plugin's author in a folder of their own: calls the command, and may lack the compilers."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.cli import main
from edge.workshop.errors import WorkshopError
from edge.workshop.toolchain import find


def call(*arguments: object, code: int = 0) -> str:
    """Run `roomkeeper-edge plugin ...` and return what it printed."""
    done: Result = CliRunner().invoke(main, ["plugin", *(str(part) for part in arguments)])
    assert done.exit_code == code, done.output + repr(done.exception)
    return done.output


def needs(*tools: str) -> None:
    """Skip by name where the compilers of lock/wasm.txt are not installed."""
    for tool in tools:
        try:
            find(tool, Path(__file__).parent)
        except WorkshopError as error:
            pytest.skip(str(error))


TOOLS = {
    "c": ("python-zig", "wasm-tools"),
    "zig": ("python-zig", "wasm-tools"),
    "python": ("componentize-py",),
    "javascript": ("componentize-qjs", "node"),
}
