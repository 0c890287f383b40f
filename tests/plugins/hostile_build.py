"""Build the hostile guest: `.venv-wasm/bin/python -m tests.plugins.hostile_build [--check]`."""

import sys
from pathlib import Path

from edge.workshop.build import build

HERE = Path(__file__).resolve().parent / "hostile"
WASM = HERE / "hostile.wasm"


def main() -> int:
    """Write the component, or compare it; return the exit code."""
    made = build(HERE)
    if sys.argv[1:] == ["--check"]:
        return int(made != WASM.read_bytes())
    WASM.write_bytes(made)
    print(f"{WASM.name}: {len(made)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
