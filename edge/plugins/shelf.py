"""What a room may run: what is offered to it and what was installed, the right version of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.contracts.base import Value
from edge.plugins.errors import PluginError
from edge.plugins.install import InstalledPlugin, load_plugin
from edge.plugins.manifest import MANIFEST, settings_for
from edge.plugins.signature import SUFFIX, load_keys
from edge.plugins.versions import Row, Versions, number

READINGS = 3
"""A folder that is written meanwhile is read so often."""


@dataclass(frozen=True, slots=True)
class Picked:
    """A plugin to run. note: what of the offered or the installed was refused and why, or "".

    hint: what else was passed over, as it may well be.
    """

    plugin: InstalledPlugin
    note: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """offered: a folder per plugin; versions: what was installed, None when nothing can be kept.

    What is offered in a higher version than was ever here is installed by itself.
    """

    offered: Path
    keys: Path
    versions: Versions | None = None
    settings: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    def stamp(self, name: str) -> tuple[int, ...]:
        """Return what changes with what would be picked; costs two looks."""
        try:
            # The signature is what is written last.
            found = (self.offered / name / (MANIFEST + SUFFIX)).stat()
            offered = (found.st_mtime_ns, found.st_ino, found.st_size)
        except OSError:
            offered = (0, 0, 0)
        return (*offered, *(self.versions.stamp() if self.versions else ()))

    def pick(self, name: str) -> Picked:
        """Return what is to run; PluginError when there is nothing that may."""
        offered, note = self._offered(name)
        if self.versions is None:
            return _only(offered, note)
        row = self.versions.rows().get(name)
        if offered is not None and (row is None or _higher(offered, row)):
            row = self.versions.install(offered)
        if row is None:
            return _only(offered, note)
        if offered is not None and offered.version == row.highest:
            if offered.digest != row.digest:
                note = (
                    f"what is offered is another {offered.id} {offered.version} than the one that "
                    "was here; a version's bytes never change: give it a new one"
                )
            elif row.current == row.highest:
                return Picked(offered)
        if offered is None and not (self.offered / name).exists():
            # A folder that offers nothing is no fault once something is installed.
            note = ""
        if row.highest in row.held:
            note = f"{row.highest} is not taken: {row.held[row.highest]}"
        picked = self._kept(name, row, note)
        if offered is not None and number(offered.version) < number(row.highest):
            hint = (
                f"what is offered, {offered.version}, is older than {row.highest}, which was here"
            )
            return replace(picked, hint=hint)
        return picked

    def _offered(self, name: str) -> tuple[InstalledPlugin | None, str]:
        """Return what is offered, and why it is refused; read whole, while nobody wrote it."""
        for _ in range(READINGS):
            before = self.stamp(name)[:3]
            try:
                chosen = self.settings.get(name, {})
                found, note = load_plugin(self.offered, name, load_keys(self.keys), chosen), ""
            except PluginError as error:
                found, note = None, str(error)
            # Else its golden events may be of one version and its module of the next.
            if self.stamp(name)[:3] == before:
                return found, note
        return None, f"{self.offered / name} is being written: looked at again in a moment"

    def put_back(self, name: str, version: str, why: str) -> InstalledPlugin | None:
        """Hold a version that fails here; return the one that runs instead, None when none can."""
        if self.versions is None:
            return None
        before = self.versions.put_back(name, version, why)
        if before in ("", version):
            return None
        plugin = self.versions.load(name, before, {})
        # What was chosen for a later version may not have been there to choose.
        known = {
            key: value
            for key, value in self.settings.get(name, {}).items()
            if key in plugin.manifest.settings
        }
        return replace(plugin, settings=settings_for(plugin.manifest, known, name))

    def _kept(self, name: str, row: Row, note: str) -> Picked:
        assert self.versions is not None  # noqa: S101 - narrowed by the caller
        try:
            plugin = self.versions.load(name, row.current, {})
        except PluginError as error:
            before = self.put_back(name, row.current, str(error))
            if before is None:
                raise
            return Picked(before, f"{error}; {before.version} runs instead")
        settings = settings_for(plugin.manifest, self.settings.get(name, {}), name)
        return Picked(replace(plugin, settings=settings), note)


def _only(offered: InstalledPlugin | None, note: str) -> Picked:
    if offered is None:
        raise PluginError(note)
    return Picked(offered)


def _higher(plugin: InstalledPlugin, row: Row) -> bool:
    return number(plugin.version) > number(row.highest)
