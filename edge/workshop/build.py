"""A plugin's folder into its component, with the hash in its manifest. Standard library only."""

import hashlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.workshop.compile import from_c, from_javascript, from_python, from_zig
from edge.workshop.errors import WorkshopError
from edge.workshop.toolchain import Site

MANIFEST = "plugin.toml"
LANGUAGES: dict[str, tuple[str, Callable[[Site, list[Path]], Path]]] = {
    "c": (".c", from_c),
    "zig": (".zig", from_zig),
    "python": (".py", from_python),
    "javascript": (".js", from_javascript),
}
"""Language -> the ending of its sources and what makes a component of them."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to. changed: the manifest has a new hash and must be signed again."""

    module: Path
    size: int
    changed: bool


def language_of(folder: Path) -> tuple[str, list[Path]]:
    """Return the language and the sources of the plugin in `folder`."""
    found = {
        language: sources
        for language, (ending, _) in LANGUAGES.items()
        if (sources := sorted(folder.glob(f"*{ending}")))
    }
    if len(found) != 1:
        has = f"sources in {' and '.join(sorted(found))}" if found else "no source"
        endings = ", ".join(ending for ending, _ in LANGUAGES.values())
        raise WorkshopError(f"{folder} has {has}: keep sources of one language ({endings}) there")
    return next(iter(found.items()))


def build(folder: Path, cache: Path | None = None) -> bytes:
    """Return the component the sources in `folder` give; writes nothing there.

    cache: a folder the compilers may keep what they made in; without it they start from nothing.
    """
    language, sources = language_of(folder)
    with tempfile.TemporaryDirectory(prefix="roomkeeper-plugin-") as made:
        scratch = Path(made).resolve()
        site = Site(folder, scratch, cache or scratch / "cache")
        return LANGUAGES[language][1](site, sources).read_bytes()


def build_into(folder: Path, cache: Path | None = None) -> Built:
    """Build, store the component beside its source and its hash in the manifest."""
    manifest = folder / MANIFEST
    module = folder / _key(_text(manifest), "module", manifest)
    component = build(folder, cache)
    digest = hashlib.sha256(component).hexdigest()
    old = _text(manifest)
    _key(old, "sha256", manifest)
    new = re.sub(r'^sha256 = "[^"\n]*"', f'sha256 = "{digest}"', old, count=1, flags=re.MULTILINE)
    _store(module, component)
    if new != old:
        _store(manifest, new.encode("utf-8"))
    return Built(module, len(component), new != old)


def _text(manifest: Path) -> str:
    try:
        return manifest.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkshopError(f"{manifest} cannot be read: {error}; is this a plugin?") from error


def _key(text: str, key: str, manifest: Path) -> str:
    # Found by its line, not by a parser: the line is what is written anew.
    found = re.search(rf'^{key} = "([^"\n/]*)"', text, flags=re.MULTILINE)
    if found is None:
        raise WorkshopError(f'{manifest} has no line {key} = "...": add it above the first table')
    return found[1]


def _store(path: Path, data: bytes) -> None:
    """Write whole or not at all: a watcher or a room may be reading."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)
