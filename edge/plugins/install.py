"""What is installed: a folder per plugin with manifest, signature and component, all checked."""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.contracts.base import Value
from edge.plugins.errors import PluginError
from edge.plugins.manifest import MANIFEST, MANIFEST_LIMIT, Manifest, parse, settings_for
from edge.plugins.signature import FILE_LIMIT, SUFFIX, PublicKey, as_text, load_keys, verify

WASM_LIMIT = 32 * 1024 * 1024
GOLDEN = "golden"
GOLDEN_FILES = 64
GOLDEN_LIMIT = 256 * 1024


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """A plugin whose signature and hash were right when these bytes were read. signer: key id.

    files: what was read, by its path in the plugin's folder, module left out: manifest, signature
    and golden events (which nobody signed: they may only refuse a plugin, never let it in).
    """

    manifest: Manifest
    wasm: bytes = field(repr=False)
    settings: dict[str, Value]
    signer: str
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """The name it goes by in this room."""
        return self.manifest.id

    @property
    def version(self) -> str:
        """The version its manifest names."""
        return self.manifest.version

    @property
    def digest(self) -> str:
        """SHA-256 of the signed manifest, which holds the module's: one digest for both."""
        return hashlib.sha256(self.files.get(MANIFEST, b"")).hexdigest()


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
    found = load_folder(_inside(folder, name, "the plugin"), name, keys, chosen)
    if found.id != name:
        raise PluginError(f"{name}/{MANIFEST} is of {found.id!r}, not {name!r}: rename its folder")
    return found


def load_folder(
    home: Path, name: str, keys: tuple[PublicKey, ...], chosen: Mapping[str, Value]
) -> InstalledPlugin:
    """Return the plugin in a folder of any name; `name` is how errors call it."""

    def read(path: str, limit: int) -> bytes:
        file = home
        for part in path.split("/"):
            file = _inside(file, part, name)
        return _read(file, limit, f"{name}/{path}")

    if (home / MANIFEST).is_file() and not (home / (MANIFEST + SUFFIX)).is_file():
        raise PluginError(_unsigned(name))
    golden = [f"{GOLDEN}/{path.name}" for path in sorted((home / GOLDEN).glob("*.json"))]
    return checked(read, golden[:GOLDEN_FILES], name, keys, chosen)


def checked(
    read: Callable[[str, int], bytes],
    golden: Iterable[str],
    name: str,
    keys: tuple[PublicKey, ...],
    chosen: Mapping[str, Value],
) -> InstalledPlugin:
    """Return the plugin whose files `read(path, limit)` gives; PluginError when it must not run."""
    where = f"{name}/{MANIFEST}"
    data, signature = read(MANIFEST, MANIFEST_LIMIT), read(MANIFEST + SUFFIX, FILE_LIMIT)
    key = verify(data, as_text(signature, where + SUFFIX), keys, where + SUFFIX)
    manifest = parse(data, where)
    wasm = read(manifest.module, WASM_LIMIT)
    digest = hashlib.sha256(wasm).hexdigest()
    if not hmac.compare_digest(digest, manifest.sha256):
        raise PluginError(
            f"{name}/{manifest.module} has sha256 {digest[:12]}..., the manifest says "
            f"{manifest.sha256[:12]}...: install the plugin again from its source"
        )
    files = {MANIFEST: data, MANIFEST + SUFFIX: signature}
    files |= {path: read(path, GOLDEN_LIMIT) for path in golden}
    settings = settings_for(manifest, chosen, where)
    return InstalledPlugin(manifest, wasm, settings, key.label, files)


def _unsigned(name: str) -> str:
    where = f"{name}/{MANIFEST}"
    return f"{where} is not signed: {where}{SUFFIX} is missing; sign the manifest"


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
