"""Builds the guest's agent from agent.c: `python -m cloud_bridge.vms.guest.compile [--check]`.

Run by the Python of an environment made from lock/wasm.txt, as the shipped plugins are. The same
source gives the same bytes, so `--check` rebuilds and compares. Standard library only.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE, BINARY = HERE / "agent.c", HERE / "agent"
FLAGS = (
    *("-target", "x86_64-linux-musl", "-mcpu=x86_64", "-static", "-Os", "-s", "-std=c17"),
    *("-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-Wl,--build-id=none"),
)


def compiled() -> bytes:
    """Return the agent's bytes; subprocess.CalledProcessError when the compiler refuses."""
    with tempfile.TemporaryDirectory(prefix="roomkeeper-agent-") as scratch:
        out = Path(scratch) / "agent"
        caches = {f"ZIG_{place}_CACHE_DIR": scratch for place in ("GLOBAL", "LOCAL")}
        subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", *FLAGS, SOURCE.name, "-o", str(out)],
            cwd=HERE,
            env={**os.environ, **caches},
            check=True,
        )
        return out.read_bytes()


def main() -> int:
    """Build, or compare with `--check`; return the exit code."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.stderr.write("usage: python -m cloud_bridge.vms.guest.compile [--check]\n")
        return 2
    made = compiled()
    if sys.argv[1:]:
        same = BINARY.exists() and BINARY.read_bytes() == made
        said = "as its source gives" if same else "not what its source gives: build it again"
        sys.stdout.write(f"{BINARY.name}: {said}\n")
        return 0 if same else 1
    BINARY.write_bytes(made)
    BINARY.chmod(0o755)
    sys.stdout.write(f"{BINARY.name}: {len(made)} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
