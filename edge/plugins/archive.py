"""A plugin in one file (.tar, .tar.gz, .zip): read within bounds, in memory, nothing unpacked."""

import gzip
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from edge.contracts.base import Value
from edge.plugins.errors import PluginError
from edge.plugins.install import (
    GOLDEN,
    GOLDEN_FILES,
    WASM_LIMIT,
    InstalledPlugin,
    checked,
    load_folder,
)
from edge.plugins.manifest import MANIFEST
from edge.plugins.signature import PublicKey

TOTAL_LIMIT = 48 * 1024 * 1024
MEMBERS = 256
# These names become files of the room's own.
_GOLDEN_NAME = re.compile(rf"{GOLDEN}/[A-Za-z0-9][A-Za-z0-9_.-]{{0,99}}\.json")


def load_package(
    source: Path, keys: tuple[PublicKey, ...], chosen: Mapping[str, Value]
) -> InstalledPlugin:
    """Return the plugin in a folder or an archive, checked; PluginError when it must not run."""
    if source.is_dir():
        return load_folder(source, source.name, keys, chosen)
    files = _files(source)

    def read(path: str, limit: int) -> bytes:
        data = files.get(path)
        if data is None:
            raise PluginError(f"{source.name} holds no {path}")
        if len(data) > limit:
            raise PluginError(f"{source.name}: {path} is larger than {limit} bytes")
        return data

    golden = sorted(name for name in files if _GOLDEN_NAME.fullmatch(name))
    return checked(read, golden[:GOLDEN_FILES], source.name, keys, chosen)


def _files(source: Path) -> dict[str, bytes]:
    """Return the archive's files by their path beside the manifest."""
    try:
        if source.stat().st_size > TOTAL_LIMIT:
            raise PluginError(f"{source.name} is larger than {TOTAL_LIMIT} bytes")
        data = source.read_bytes()
        members = dict(_zipped(data) if zipfile.is_zipfile(io.BytesIO(data)) else _tarred(data))
    except (OSError, tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise PluginError(f"{source.name} cannot be read as .tar, .tar.gz or .zip") from error
    # Either the files themselves, or one folder with them.
    homes = [name.removesuffix(MANIFEST) for name in members if name.endswith(MANIFEST)]
    if len(homes) != 1 or homes[0].count("/") > 1:
        raise PluginError(f"{source.name} holds {len(homes)} {MANIFEST}; it must hold one, on top")
    home = homes[0]
    return {n.removeprefix(home): data for n, data in members.items() if n.startswith(home)}


def _tarred(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data[:2] == b"\x1f\x8b":
        with gzip.open(io.BytesIO(data)) as packed:
            data = packed.read(TOTAL_LIMIT + 1)
        if len(data) > TOTAL_LIMIT:
            raise PluginError(f"unpacked it is larger than {TOTAL_LIMIT} bytes")
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for count, member in enumerate(archive):
            if count >= MEMBERS:
                raise PluginError(f"it holds more than {MEMBERS} files")
            opened = archive.extractfile(member) if member.isreg() and not member.sparse else None
            if opened is not None:
                yield member.name.removeprefix("./"), opened.read(WASM_LIMIT + 1)


def _zipped(data: bytes) -> Iterator[tuple[str, bytes]]:
    left = TOTAL_LIMIT
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for count, member in enumerate(archive.infolist()):
            if count >= MEMBERS:
                raise PluginError(f"it holds more than {MEMBERS} files")
            # What the directory says of its size is not believed.
            try:
                with archive.open(member) as opened:
                    content = opened.read(left + 1)
            except (RuntimeError, NotImplementedError) as error:
                raise PluginError(f"{member.filename[:80]} cannot be unpacked: {error}") from error
            left -= len(content)
            if left < 0:
                raise PluginError(f"unpacked it is larger than {TOTAL_LIMIT} bytes")
            yield member.filename, content
