"""Compiled plugins, kept sealed: what was not compiled here, for this Wasmtime, is never loaded."""

import platform
from collections.abc import Callable
from importlib.metadata import version

import structlog

from edge.plugins.errors import PluginError
from edge.plugins.guest import Log
from edge.plugins.install import InstalledPlugin
from edge.plugins.private import PrivateFolder, UntrustedError
from edge.plugins.sandbox import Guest, Sandbox

ENTRIES = 16
LIMIT = 256 * 1024 * 1024
_SUFFIX = ".compiled"

log = structlog.get_logger()


class CompileCache:
    """Gives guests; compiles only what it does not hold. Any thread may have one of its own."""

    def __init__(self, folder: PrivateFolder) -> None:
        self._folder = folder
        self._refused: Callable[[str, str], None] = lambda _plugin, _reason: None

    def when_refused(self, tell: Callable[[str, str], None]) -> None:
        """Let `tell` hear which plugin's entry was not believed, and why."""
        self._refused = tell

    def holds(self, plugin: InstalledPlugin) -> bool:
        """Whether there is an entry; loading it will say whether it can be believed."""
        return (self._folder.path / _name(plugin)).exists()

    def guest(self, box: Sandbox, plugin: InstalledPlugin, say: Log | None = None) -> Guest:
        """Return the compiled plugin; PluginError when it is no component of our world.

        An entry that is not believed is logged and deleted, and the plugin compiled anew.
        """
        manifest = plugin.manifest
        compiled = self._kept(plugin)
        if compiled is not None:
            try:
                return box.load(manifest.module, compiled, manifest.limits, say)
            except PluginError as error:
                self._drop(plugin, str(error))
        guest = box.compile(manifest.module, plugin.wasm, manifest.limits, say)
        self._keep(plugin, guest.compiled())
        return guest

    def _kept(self, plugin: InstalledPlugin) -> bytes | None:
        try:
            return self._folder.read(_name(plugin), _label(plugin), LIMIT)
        except UntrustedError as error:
            self._drop(plugin, str(error))
        except OSError as error:
            log.warning("compile cache not read", plugin=plugin.id, reason=str(error))
        return None

    def _drop(self, plugin: InstalledPlugin, reason: str) -> None:
        log.warning("compile cache entry refused", plugin=plugin.id, reason=reason)
        self._refused(plugin.id, reason)
        try:
            self._folder.remove(_name(plugin))
        except OSError as error:
            log.warning("compile cache entry stays", plugin=plugin.id, reason=str(error))

    def _keep(self, plugin: InstalledPlugin, compiled: bytes) -> None:
        """Keep the newest entries. A disk that is full costs the next start time, no more."""
        try:
            self._folder.write(_name(plugin), _label(plugin), compiled)
            entries = sorted(
                self._folder.path.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime
            )
            for path in entries[:-ENTRIES]:
                path.unlink(missing_ok=True)
        except (OSError, UntrustedError) as error:
            log.warning("compiled plugin not kept", plugin=plugin.id, reason=str(error))


def _name(plugin: InstalledPlugin) -> str:
    return plugin.manifest.sha256 + _SUFFIX


def _label(plugin: InstalledPlugin) -> str:
    made_by = f"wasmtime {version('wasmtime')} {platform.machine()}"
    return f"compiled {made_by} {plugin.manifest.sha256}"
