"""Which version of each plugin runs here and which it may go back to: never lower unless signed.

In the private folder `versions/<id>/<version>/` holds what was installed; one sealed file remembers
which of them runs, which ran before and the highest that was ever here. A change is whole with the
renaming of that file: whatever a crash leaves besides it is nobody's.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import structlog
from msgspec.structs import replace

from edge.contracts.base import StrictMessage, Value
from edge.plugins.errors import PluginError
from edge.plugins.install import InstalledPlugin, load_folder
from edge.plugins.manifest import Name, Version
from edge.plugins.private import PrivateFolder, UntrustedError, sync_folder
from edge.plugins.rollback import Rollback
from edge.plugins.signature import load_keys

MEMORY = "versions.json"
MEMORY_LIMIT = 1 << 20
HELD = 8

log = structlog.get_logger()


class Row(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """One plugin. current: what runs; previous: what ran before and may come back by itself.

    highest: below it nothing is installed; digest: of the highest version's signed manifest;
    held: versions that failed here and why, until they are installed again.
    """

    current: Version
    highest: Version
    digest: str
    previous: str = ""
    held: dict[Version, str] = msgspec.field(default_factory=dict)


class _Memory(StrictMessage, frozen=True, forbid_unknown_fields=True):
    plugins: dict[Name, Row] = msgspec.field(default_factory=dict)


class Versions:
    """The installed versions of one appliance; every process that changes them takes turns."""

    def __init__(self, folder: PrivateFolder, keys: Path) -> None:
        self._private, self._keys = folder, keys
        self.folder = folder.folder("versions")

    def rows(self) -> Mapping[str, Row]:
        """Return what is remembered; a memory that is damaged is made anew from what is kept."""
        try:
            data = self._private.read(MEMORY, MEMORY, MEMORY_LIMIT)
            return msgspec.json.decode(data, type=_Memory).plugins if data else self._found()
        except (UntrustedError, msgspec.MsgspecError) as error:
            log.error("memory of plugin versions refused", reason=str(error))
            return self._found()

    def stamp(self) -> tuple[int, int]:
        """Return what changes when another process installs something; costs one look."""
        try:
            found = (self._private.path / MEMORY).stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino

    def load(self, name: str, version: str, chosen: Mapping[str, Value]) -> InstalledPlugin:
        """Return an installed version, checked again; PluginError when it must not run."""
        home, where = self.folder / name / version, f"{name} {version}"
        found = load_folder(home, where, load_keys(self._keys), chosen)
        if (found.id, found.version) != (name, version):
            raise PluginError(f"{where} holds {found.id} {found.version}: install it again")
        return found

    def install(self, plugin: InstalledPlugin) -> Row:
        """Make a checked plugin the one that runs; PluginError when a higher one was here."""
        with self._locked() as memory:
            row = memory.get(plugin.id)
            if row is not None:
                _must_not_go_back(plugin, row)
            self._put(plugin)
            if row is None:
                row = Row(plugin.version, plugin.version, plugin.digest)
            else:
                previous = row.previous if row.current == plugin.version else row.current
                held = {v: why for v, why in row.held.items() if v != plugin.version}
                row = Row(plugin.version, plugin.version, plugin.digest, previous, held)
            self._remember(memory, plugin.id, row)
        return row

    def rollback(self, wanted: Rollback) -> Row:
        """Go back as a signed statement says; PluginError when it is not about what is here."""
        with self._locked() as memory:
            row = memory.get(wanted.plugin)
            if row is None or row.highest != wanted.highest:
                raise PluginError(
                    f"the statement is about {wanted.plugin} {wanted.highest}; the highest that "
                    f"was here is {row.highest if row else 'none'}: it needs one about that"
                )
            # Checked before it is believed to be there.
            self.load(wanted.plugin, wanted.to, {})
            row = replace(row, current=wanted.to, previous="")
            self._remember(memory, wanted.plugin, row)
        return row

    def put_back(self, name: str, version: str, why: str) -> str:
        """Hold `version` for failing; return the version that runs instead, "" when none can."""
        with self._locked() as memory:
            row = memory.get(name)
            if row is None or row.current != version:
                return row.current if row else ""
            if not row.previous:
                return ""
            held = _held(row, version, why)
            row = replace(row, current=row.previous, previous="", held=held)
            self._remember(memory, name, row)
        return row.current

    def _put(self, plugin: InstalledPlugin) -> None:
        """Write the files beside the others and rename them into place, unless they are there."""
        home = self.folder / plugin.id
        home.mkdir(mode=0o700, exist_ok=True)
        new, place = home / f".{secrets.token_hex(8)}", home / plugin.version
        with suppress(PluginError):
            if self.load(plugin.id, plugin.version, {}).digest == plugin.digest:
                return
        for name, data in {**plugin.files, plugin.manifest.module: plugin.wasm}.items():
            file = new / name
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with file.open("wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
        sync_folder(new)
        if place.exists():
            # Damaged, or left by an installation that did not end.
            place.rename(home / f".{secrets.token_hex(8)}")
        new.rename(place)
        sync_folder(home)

    def _remember(self, memory: dict[str, Row], name: str, row: Row) -> None:
        memory[name] = row
        self._private.write(MEMORY, MEMORY, msgspec.json.encode(_Memory(memory)))
        keep = {row.current, row.previous, row.highest}
        for path in (self.folder / name).iterdir():
            if path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)

    def _found(self) -> dict[str, Row]:
        """Return a memory made of the versions whose signatures are right: the highest runs."""
        rows: dict[str, Row] = {}
        for path in self.folder.glob("*/*.*.*"):
            try:
                plugin = self.load(path.parent.name, path.name, {})
            except PluginError:
                continue
            row = rows.get(plugin.id)
            if row is None or number(plugin.version) > number(row.highest):
                previous = row.highest if row else ""
                rows[plugin.id] = Row(plugin.version, plugin.version, plugin.digest, previous)
        return rows

    @contextmanager
    def _locked(self) -> Iterator[dict[str, Row]]:
        handle = os.open(self._private.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield dict(self.rows())
        except OSError as error:
            raise PluginError(f"plugins cannot be kept: {error}") from error
        finally:
            os.close(handle)


def number(version: str) -> tuple[int, ...]:
    """Return a version as what it is compared by."""
    return tuple(int(part) for part in version.split("."))


def _held(row: Row, version: str, why: str) -> dict[str, str]:
    kept = list({**row.held, version: why[:300]}.items())
    return dict(kept[-HELD:])


def _must_not_go_back(plugin: InstalledPlugin, row: Row) -> None:
    if number(plugin.version) < number(row.highest):
        raise PluginError(
            f"{plugin.id} {plugin.version} is older than {row.highest}, which was here: only a "
            "rollback signed by a pinned key goes back (`plugin rollback`)"
        )
    if plugin.version == row.highest and plugin.digest != row.digest:
        raise PluginError(
            f"{plugin.id} {plugin.version} is not the {plugin.version} that was here: "
            "a version's bytes never change; give it a new one"
        )
