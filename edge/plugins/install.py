"""What is installed: a folder per plugin with manifest, signature and component, all checked."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.contracts.base import Value
from edge.plugins.errors import PluginError
from edge.plugins.manifest import MANIFEST, MANIFEST_LIMIT, Manifest, parse, settings_for
from edge.plugins.signature import SUFFIX, PublicKey, load_keys, read_text, verify

WASM_LIMIT = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """A plugin whose signature and hash were right when these bytes were read. signer: key id."""

    manifest: Manifest
    wasm: bytes = field(repr=False)
    settings: dict[str, Value]
    signer: str

    @property
    def id(self) -> str:
        """The name it goes by in this room."""
        return self.manifest.id


def load_plugins(
    folder: Path,
    keys_folder: Path,
    enabled: Iterable[str],
    settings: Mapping[str, Mapping[str, Value]] | None = None,
) -> list[InstalledPlugin]:
    """Return the enabled plugins, settings applied; PluginError for the first that cannot run."""
    keys = load_keys(keys_folder)
    chosen = settings or {}
    return [load_plugin(folder, name, keys, chosen.get(name, {})) for name in enabled]


def load_plugin(
    folder: Path, name: str, keys: tuple[PublicKey, ...], chosen: Mapping[str, Value]
) -> InstalledPlugin:
    """Return one plugin; its manifest is believed only after its signature, its module after both.

    Every file is read once: what was checked is what will run.
    """
    home = _inside(folder, name, "the plugin")
    where = f"{name}/{MANIFEST}"
    data = _read(_inside(home, MANIFEST, where), MANIFEST_LIMIT, where)
    signature = _inside(home, MANIFEST + SUFFIX, where + SUFFIX)
    if not signature.is_file():
        raise PluginError(f"{where} is not signed: {where}{SUFFIX} is missing; sign the manifest")
    key = verify(data, read_text(signature), keys, where + SUFFIX)
    manifest = parse(data, where)
    if manifest.id != name:
        raise PluginError(f"{where} is of {manifest.id!r}, not {name!r}: rename its folder")
    wasm = _read(_inside(home, manifest.module, where), WASM_LIMIT, f"{name}/{manifest.module}")
    digest = hashlib.sha256(wasm).hexdigest()
    if not hmac.compare_digest(digest, manifest.sha256):
        raise PluginError(
            f"{name}/{manifest.module} has sha256 {digest[:12]}..., the manifest says "
            f"{manifest.sha256[:12]}...: install the plugin again from its source"
        )
    return InstalledPlugin(manifest, wasm, settings_for(manifest, chosen, where), key.label)


def installed(folder: Path) -> list[str]:
    """Return the names of the plugin folders, whether or not they can be trusted."""
    return sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))


def _inside(folder: Path, name: str, where: str) -> Path:
    """Return folder/name; PluginError when it lies elsewhere (`..`, a symbolic link)."""
    path = folder / name
    if Path(name).name != name or path.resolve().parent != folder.resolve():
        raise PluginError(f"{where}: {name!r} leads out of its folder; nothing outside is read")
    return path


def _read(path: Path, limit: int, where: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise PluginError(f"{where} cannot be read: {error.strerror}; is it installed?") from error
    if len(data) > limit:
        raise PluginError(f"{where} is larger than {limit} bytes")
    return data
