"""Build the shipped plugins from their sources: `python -m wasm_modules.build [--check]`.

Run by the Python of an environment made from lock/wasm.txt; the building itself is that of
`roomkeeper-edge plugin build`. The same sources give the same bytes, so `--check` rebuilds and
compares.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from edge.workshop.build import build, build_into
from edge.workshop.errors import WorkshopError

HERE = Path(__file__).resolve().parent
PLUGINS = ("lights", "climate", "camera", "microphone", "blinds", "display")


def write(plugin: str, cache: Path) -> str:
    """Store the component and its hash in the manifest; return what remains to be done."""
    built = build_into(HERE / plugin, cache)
    rest = "new hash: sign plugin.toml again" if built.changed else "unchanged hash"
    return f"{plugin}: {built.size} bytes, {rest}"


def check(plugin: str, cache: Path) -> str:
    """Return "" when the kept component is what its source gives, else what to do."""
    kept = HERE / plugin / f"{plugin}.wasm"
    if kept.exists() and kept.read_bytes() == build(HERE / plugin, cache):
        return ""
    return f"{kept.relative_to(HERE.parent)} is not what its source gives: build and sign it again"


def main() -> int:
    """Build or check every shipped plugin; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the shipped plugins from their sources.")
    parser.add_argument("--check", action="store_true", help="compare, change nothing")
    only_check = parser.parse_args().check
    wrong = 0
    try:
        with tempfile.TemporaryDirectory(prefix="roomkeeper-cache-") as cache:
            for plugin in PLUGINS:
                said = (check if only_check else write)(plugin, Path(cache))
                wrong += bool(only_check and said)
                print(said or f"{plugin}: as its source gives")  # noqa: T201
    except WorkshopError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
