"""A new plugin's folder from the templates: source, manifest, golden events, README."""

import re
import shutil
from pathlib import Path

from edge.workshop.build import LANGUAGES
from edge.workshop.errors import WorkshopError
from edge.workshop.kit import kit

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")
_SMALL = 'deadline_ms = 20\nmemory_mb = 4\noutput_kb = 64\nlog_lines = 16\ninstance = "fresh"'
_LARGE = (
    "# The language's own runtime is slow to start: it is kept between calls. Whatever is not in\n"
    "# `state` may be gone at any call.\n"
    'instance = "reused"\ndeadline_ms = {}\nmemory_mb = {}\noutput_kb = 64\nlog_lines = 16'
)
LIMITS = {
    "c": _SMALL,
    "zig": _SMALL,
    "python": _LARGE.format(60, 128),
    "javascript": _LARGE.format(20, 64),
}
_TOOLS = {"javascript": ("package.json", "package-lock.json", ".npmrc")}


def new(name: str, language: str, into: Path) -> Path:
    """Write the plugin's folder `into`/`name`; WorkshopError when it exists or has a bad name."""
    if not NAME.match(name):
        raise WorkshopError(f"{name!r} is no plugin name: use a-z, 0-9, - and _, at most 32")
    folder = into / name
    ending, _ = LANGUAGES[language]
    holes = {
        "NAME": name,
        "TITLE": name.replace("-", " ").replace("_", " ").capitalize(),
        "SOURCE": f"`plugin{ending}`",
        "LIMITS": LIMITS[language],
    }
    try:
        folder.mkdir(parents=True)
        for template in ("common", language):
            _copy(kit() / "templates" / template, folder, holes)
        for tool in _TOOLS.get(language, ()):
            shutil.copy(kit() / tool, folder)
    except FileExistsError as error:
        raise WorkshopError(f"{folder} exists: choose another name, or remove it") from error
    except OSError as error:
        raise WorkshopError(f"{folder} cannot be written: {error}") from error
    return folder


def _copy(template: Path, folder: Path, holes: dict[str, str]) -> None:
    for source in sorted(template.rglob("*")):
        if not source.is_file() or source.parent.name == "__pycache__":
            continue
        target = folder / source.relative_to(template)
        target.parent.mkdir(exist_ok=True)
        text = source.read_text(encoding="utf-8")
        text = re.sub(rf"\b({'|'.join(holes)})\b", lambda found: holes[found[1]], text)
        target.write_text(text, encoding="utf-8")
