"""A plugin on the bench: read from its folder, signed or not, and called in the real sandbox."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from edge.contracts.base import Value
from edge.contracts.plugin import PluginEvent, PluginInput, PluginOutput, input_encoder
from edge.plugins.answer import read_answer
from edge.plugins.cache import CompileCache
from edge.plugins.errors import GuestError, PluginError
from edge.plugins.install import InstalledPlugin
from edge.plugins.manifest import MANIFEST, Manifest, parse, settings_for
from edge.plugins.sandbox import Sandbox
from edge.plugins.selftest import PATIENCE_MS, introduce
from edge.workshop.errors import WorkshopError

Say = Callable[[str, str], None]
"""Takes level and message of one line a plugin logged."""


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest in `folder`."""
    home = folder.resolve()
    try:
        return parse((home / MANIFEST).read_bytes(), f"{home.name}/{MANIFEST}")
    except PluginError as error:
        raise WorkshopError(str(error)) from error
    except OSError as error:
        raise WorkshopError(f"{error.filename} cannot be read: {error.strerror}") from error


def read_plugin(folder: Path) -> InstalledPlugin:
    """Return the plugin in `folder`, built and consistent, whoever signed it or nobody."""
    home = folder.resolve()
    where = f"{home.name}/{MANIFEST}"
    manifest = read_manifest(folder)
    try:
        wasm = (home / manifest.module).read_bytes()
        settings = settings_for(manifest, {}, where)
    except PluginError as error:
        raise WorkshopError(str(error)) from error
    except FileNotFoundError as error:
        raise WorkshopError(
            f"{error.filename} is missing: build it first (roomkeeper-edge plugin build {folder})"
        ) from error
    except OSError as error:
        raise WorkshopError(f"{error.filename} cannot be read: {error.strerror}") from error
    if hashlib.sha256(wasm).hexdigest() != manifest.sha256:
        raise WorkshopError(
            f"{where} has another hash than {manifest.module}: "
            f"build it again (roomkeeper-edge plugin build {folder})"
        )
    return InstalledPlugin(manifest, wasm, settings, "")


def stale(folder: Path, plugin: InstalledPlugin) -> str:
    """Return the name of a source that is newer than the component, or ""."""
    made = (folder / plugin.manifest.module).stat().st_mtime
    sources = (p for p in folder.iterdir() if p.suffix in {".c", ".h", ".zig", ".py", ".js"})
    return next((p.name for p in sorted(sources) if p.stat().st_mtime > made), "")


def _quiet(_level: str, _message: str) -> None:
    return


class Trial:
    """One plugin in the sandbox; keeps its state from call to call. close() frees it.

    deadline_ms: another deadline than its manifest's (the default is long: it counts what a plugin
    says, not how soon, which `plugin bench` measures); 0: that one. cache: of machine code.
    """

    def __init__(
        self,
        plugin: InstalledPlugin,
        say: Say = _quiet,
        deadline_ms: int = PATIENCE_MS,
        cache: CompileCache | None = None,
    ) -> None:
        self.plugin, self.state = plugin, ""
        manifest = plugin.manifest
        limits = manifest.limits
        if deadline_ms:
            limits = msgspec.structs.replace(limits, deadline_ms=deadline_ms)
        self.box = Sandbox()
        try:
            heard = say if "log" in manifest.capabilities else _quiet
            if cache is None:
                self.guest = self.box.compile(manifest.module, plugin.wasm, limits, heard)
            else:
                self.guest = cache.guest(self.box, plugin, heard)
                self.guest.limits = limits
            introduce(self.guest, manifest)
        except PluginError as error:
            self.box.close()
            raise WorkshopError(str(error)) from error

    def configure(self, settings: Mapping[str, Value]) -> None:
        """Go on with these settings; those this version does not know are left out."""
        manifest = self.plugin.manifest
        known = {name: value for name, value in settings.items() if name in manifest.settings}
        try:
            settled = settings_for(manifest, known, MANIFEST)
        except PluginError as error:
            raise WorkshopError(str(error)) from error
        self.plugin = replace(self.plugin, settings=settled)

    def call(self, events: tuple[PluginEvent, ...], now: float, seed: int) -> PluginOutput:
        """Return the answer and keep its state; GuestError says why there is none."""
        settings = self.plugin.settings
        output = self.ask(PluginInput(events, now, seed, state=self.state, settings=settings))
        self.state = output.state
        return output

    def ask(self, given: PluginInput) -> PluginOutput:
        """Return the answer to one input, whatever is kept; GuestError says why there is none."""
        text = input_encoder.encode(given).decode("utf-8")
        try:
            answer = self.guest.call("handle", text)
            return read_answer(answer, frozenset(event.id for event in given.events))
        except UnicodeDecodeError as error:
            self.guest.close()
            raise GuestError("answered no UTF-8") from error
        except GuestError:
            self.guest.close()
            raise

    def close(self) -> None:
        """Free instance and timer."""
        self.guest.close()
        self.box.close()
