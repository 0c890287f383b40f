"""Build the lights plugin for Extism: `.venv-wasm/bin/python -m tests.bench.extism.build`.

The compiler and its options are those of our own plugins; only the way in and out differs.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from edge.workshop.compile import C_FLAGS

HERE = Path(__file__).resolve().parent
MODULES = HERE.parents[2] / "wasm_modules"
WASM = HERE / "lights_extism.wasm"


def build(into: Path) -> None:
    """Compile to `into`; subprocess.CalledProcessError when the compiler refuses."""
    sdk = [path for path in sorted((MODULES / "sdk/c").glob("*.c")) if path.name != "plugin.c"]
    sources = [*sdk, *sorted((MODULES / "lights").glob("*.c")), HERE / "lights_extism.c"]
    with tempfile.TemporaryDirectory() as cache:
        caches = {f"ZIG_{place}_CACHE_DIR": cache for place in ("GLOBAL", "LOCAL")}
        subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", *C_FLAGS, "-Wno-unused-parameter",
             f"-I{MODULES / 'sdk/c'}", *map(str, sources), "-o", str(into)],
            env={**os.environ, **caches}, check=True,
        )  # fmt: skip


if __name__ == "__main__":
    build(WASM)
    print(f"{WASM.name}: {WASM.stat().st_size} bytes")
