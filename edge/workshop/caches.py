"""What an author's commands keep between two calls: all of it may be deleted at any time."""

import os
from pathlib import Path

from edge.plugins.cache import CompileCache
from edge.plugins.errors import PluginError
from edge.plugins.private import PrivateFolder


def home() -> Path:
    """Return the folder, as the XDG base directories have it."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(chosen) if chosen else Path.home() / ".cache") / "roomkeeper"


def compilers() -> Path:
    """Return where compilers keep what they made."""
    return home() / "compilers"


def compiled() -> CompileCache | None:
    """Return the sealed machine code of components, None where it cannot be kept."""
    try:
        return CompileCache(PrivateFolder(home() / "compiled"))
    except PluginError:
        return None
