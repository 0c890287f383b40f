"""Sources into a core module or a component, one function a language. Standard library only."""

import shutil
import sys
from pathlib import Path

from edge.workshop.kit import kit
from edge.workshop.toolchain import Site

WORLD = "plugin"
C_FLAGS = (
    "-target", "wasm32-freestanding", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror",
    "-nostdlib", "-fno-builtin", "-mcpu=mvp+sign_ext+mutable_globals", "-flto",
    "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=65536",
)  # fmt: skip
ZIG_FLAGS = (
    "-target", "wasm32-freestanding", "-mcpu=mvp+sign_ext+mutable_globals", "-OReleaseSmall",
    "-fno-entry", "-rdynamic", "-fstrip", "--stack", "65536",
)  # fmt: skip


def from_c(site: Site, sources: list[Path]) -> Path:
    """Return the component of C sources and the C SDK."""
    # Both are copied, so that no path of this machine can find its way into the module.
    sdk = shutil.copytree(kit() / "sdk" / "c", site.scratch / "sdk")
    _copy([*sources, *site.folder.glob("*.h")], site.scratch)
    names = [*sorted(f"sdk/{file.name}" for file in sdk.glob("*.c"))]
    names += [source.name for source in sources]
    core = site.scratch / "core.wasm"
    site.run("python-zig", "cc", *C_FLAGS, "-Isdk", *names, "-o", core)
    return _wrapped(core, site)


def from_zig(site: Site, sources: list[Path]) -> Path:
    """Return the component of `plugin.zig`, of what it imports, and of the Zig SDK."""
    shutil.copytree(kit() / "sdk" / "zig", site.scratch / "sdk")
    _copy(sources, site.scratch)
    core = site.scratch / "core.wasm"
    modules = ("--dep", "roomkeeper", "-Mroot=plugin.zig", "-Mroomkeeper=sdk/roomkeeper.zig")
    site.run("python-zig", "build-exe", *ZIG_FLAGS, f"-femit-bin={core}", *modules)
    return _wrapped(core, site)


def _wrapped(core: Path, site: Site) -> Path:
    """Return the core module as a component of our world."""
    world, made = site.scratch / "world.wasm", site.scratch / "made.wasm"
    embed = ("component", "embed", kit() / "wit", "-w", WORLD)
    site.run("wasm-tools", *embed, core, "-o", world)
    site.run("wasm-tools", "component", "new", world, "-o", made)
    site.run("wasm-tools", "strip", "--all", made, "-o", made)
    return made


def from_python(site: Site, sources: list[Path]) -> Path:
    """Return the component of `plugin.py` with the interpreter inside; WASI is stubbed."""
    source = shutil.copytree(kit() / "sdk" / "python", site.scratch / "source")
    _copy(sources, source)
    made = site.scratch / "made.wasm"
    options = ("componentize", "--stub-wasi", "-p", source, "component", "-o", made)
    site.run("componentize-py", "-d", kit() / "wit", "-w", WORLD, *options)
    return made


def from_javascript(site: Site, sources: list[Path]) -> Path:
    """Return the component of `plugin.js` with QuickJS inside; WASI is stubbed."""
    source = shutil.copytree(kit() / "sdk" / "javascript", site.scratch / "source")
    _copy(sources, source)
    still = site.scratch / "still.so"
    if sys.platform == "linux":
        # Otherwise the builder's clock and chance would be in the component.
        site.run("python-zig", "cc", "-shared", "-fPIC", "-O1", source / "still.c", "-o", still)
        site.preload["componentize-qjs"] = still
    made = site.scratch / "made.wasm"
    options = ("--module-root", ".", "--sync", "--stub-wasi", "-o", made)
    world = ("--wit", kit() / "wit", "-n", WORLD)
    site.run("componentize-qjs", *world, "--js", "component.js", *options, cwd=source)
    return made


def _copy(files: list[Path], into: Path) -> None:
    for file in files:
        shutil.copy(file, into)
