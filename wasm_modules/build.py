"""Build the shipped plugins from their sources: `python -m wasm_modules.build [--check]`.

Run by the Python of an environment made from lock/wasm.txt (Zig's C compiler, wasm-tools). The
same sources give the same bytes, so `--check` rebuilds into a temporary folder and compares.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLUGINS = ("lights", "climate")
FLAGS = (
    "-target", "wasm32-freestanding", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror",
    "-nostdlib", "-fno-builtin", "-mcpu=mvp+sign_ext+mutable_globals", "-flto",
    "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=65536",
)  # fmt: skip


class BuildError(Exception):
    """A tool is missing or refused a source; the text says which and what to do."""


def run(command: list[str], scratch: Path) -> None:
    """Run one tool with its caches in `scratch`; raise BuildError with what it printed."""
    # The compiler's caches would otherwise land in the home folder.
    caches = {
        name: str(scratch / "cache") for name in ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")
    }
    done = subprocess.run(
        command, cwd=HERE, env={**os.environ, **caches}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"{' '.join(command[:4])} ... failed:\n{done.stderr or done.stdout}")


def wasm_tools() -> str:
    """Return the path of wasm-tools beside this Python."""
    tool = Path(sysconfig.get_path("scripts")) / "wasm-tools"
    if not tool.exists():
        raise BuildError(
            f"{tool} is missing: python3 -m venv .venv-wasm && "
            ".venv-wasm/bin/pip install --require-hashes -r lock/wasm.txt, "
            "then .venv-wasm/bin/python -m wasm_modules.build"
        )
    return str(tool)


def build(plugin: str, scratch: Path) -> bytes:
    """Return the component of `plugin`: compiled, then wrapped with the world it implements."""
    sources = sorted((HERE / "sdk/c").glob("*.c")) + sorted((HERE / plugin).glob("*.c"))
    names = [str(source.relative_to(HERE)) for source in sources]
    core, world, made = (scratch / f"{plugin}.{stage}.wasm" for stage in ("core", "world", "made"))
    compiler = [sys.executable, "-m", "ziglang", "cc"]
    run([*compiler, *FLAGS, "-Isdk/c", *names, "-o", str(core)], scratch)
    tool = wasm_tools()
    run([tool, "component", "embed", "wit", "-w", "plugin", str(core), "-o", str(world)], scratch)
    run([tool, "component", "new", str(world), "-o", str(made)], scratch)
    run([tool, "strip", "--all", str(made), "-o", str(made)], scratch)
    return made.read_bytes()


def write(plugin: str, component: bytes) -> str:
    """Store the component and its hash in the manifest; return what remains to be done."""
    (HERE / plugin / f"{plugin}.wasm").write_bytes(component)
    manifest = HERE / plugin / "plugin.toml"
    digest = hashlib.sha256(component).hexdigest()
    old = manifest.read_text(encoding="utf-8")
    new = re.sub(r'^sha256 = "[0-9a-f]*"$', f'sha256 = "{digest}"', old, flags=re.MULTILINE)
    if new == old:
        return f"{plugin}: {len(component)} bytes, unchanged hash"
    manifest.write_text(new, encoding="utf-8")
    return f"{plugin}: {len(component)} bytes, new hash: sign {manifest.name} again"


def check(plugin: str, component: bytes) -> str:
    """Return "" when the kept component is what its source gives, else what to do."""
    kept = HERE / plugin / f"{plugin}.wasm"
    if kept.exists() and kept.read_bytes() == component:
        return ""
    return f"{kept.relative_to(HERE.parent)} is not what its source gives: build and sign it again"


def main() -> int:
    """Build or check every shipped plugin; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the shipped plugins from their sources.")
    parser.add_argument("--check", action="store_true", help="compare, change nothing")
    only_check = parser.parse_args().check
    wrong = 0
    try:
        with tempfile.TemporaryDirectory(prefix="roomkeeper-wasm-") as folder:
            for plugin in PLUGINS:
                component = build(plugin, Path(folder))
                said = check(plugin, component) if only_check else write(plugin, component)
                wrong += bool(only_check and said)
                print(said or f"{plugin}: {len(component)} bytes, as its source gives")  # noqa: T201
    except BuildError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
