"""The compilers a build calls: found, never fetched. Standard library only.

Looked for beside this Python, in `.venv-wasm/bin` and `node_modules/.bin` of the plugin's folder
and the folders above it, of the working folder and of the checkout, and at last on the PATH.
"""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge.workshop.errors import WorkshopError
from edge.workshop.kit import TREE

MINUTES = 5
_SCRIPT = "tests/world/bootstrap.sh wasm"
_PIP = f"pip install './roomkeeper[plugin-dev]' beside a checkout of roomkeeper (in it: {_SCRIPT})"
_NPM = f"npm ci in the plugin's folder (in a checkout: {_SCRIPT}); the same pip extra brings npm"
INSTALL = {
    "python-zig": f"Zig, which compiles C too, comes with {_PIP}",
    "wasm-tools": f"it comes with {_PIP}",
    "componentize-py": f"it comes with {_PIP}",
    "componentize-qjs": f"it comes with {_NPM}",
    "node": f"it comes with {_PIP}, or from the system",
}
"""Tool -> how its author gets it."""


def find(tool: str, near: Path) -> Path:
    """Return the tool to use for a plugin in the folder `near`; WorkshopError says what to do."""
    for folder in _places(near):
        found = folder / tool
        if os.access(found, os.X_OK) and found.is_file():
            return found
    on_path = shutil.which(tool)
    if on_path is None:
        raise WorkshopError(f"{tool} is not installed: {INSTALL[tool]}")
    return Path(on_path)


def _places(near: Path) -> Iterator[Path]:
    yield Path(sysconfig.get_path("scripts"))
    homes = [near.resolve(), *near.resolve().parents, Path.cwd(), *Path.cwd().parents]
    for home in dict.fromkeys([*homes, TREE, TREE / "wasm_modules"]):
        yield home / ".venv-wasm" / "bin"
        yield home / "node_modules" / ".bin"


@dataclass(frozen=True, slots=True)
class Site:
    """Where one build happens. folder: the plugin's, only read; scratch: this build's own.

    cache: what compilers keep from build to build; it may outlive the scratch. preload: tool -> a
    library that is loaded before it.
    """

    folder: Path
    scratch: Path
    cache: Path
    preload: dict[str, Path] = field(default_factory=dict)

    def run(self, tool: str, *arguments: str | Path, cwd: Path | None = None) -> None:
        """Run one tool; WorkshopError holds what it printed."""
        line = [str(find(tool, self.folder)), *(str(part) for part in arguments)]
        paths = [os.environ.get("PATH", os.defpath)]
        if tool == "componentize-qjs":
            paths.insert(0, str(find("node", self.folder).parent))
        # The compiler's caches would otherwise land in the home folder.
        caches = {f"ZIG_{scope}_CACHE_DIR": str(self.cache) for scope in ("GLOBAL", "LOCAL")}
        given = {**os.environ, **caches, "PATH": ":".join(paths)}
        if tool in self.preload:
            given["LD_PRELOAD"] = str(self.preload[tool])
        try:
            done = subprocess.run(
                line, cwd=cwd or self.scratch, env=given, stdin=subprocess.DEVNULL, check=False,
                capture_output=True, text=True, timeout=MINUTES * 60,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise WorkshopError(f"{tool} was not done after {MINUTES} minutes: stopped") from error
        except OSError as error:
            raise WorkshopError(f"{line[0]} does not run: {error.strerror}") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().replace(f"{self.scratch}/", "")
            raise WorkshopError(f"{tool} refused the source:\n{said[-6000:]}")
