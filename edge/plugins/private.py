"""A folder of this device alone, and sealed files in it: read only when this device wrote them.

A sealed file is a mark, an HMAC-SHA256 over its label and content, and the content. The key is a
file of the same folder that only the owner can read; it is made at the first use.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from edge.plugins.errors import PluginError

KEY = "device.key"
_MARK = b"RKSEAL1\n"
_KEY_BYTES = 32
_TAG_BYTES = 32


class UntrustedError(PluginError):
    """A file that this device did not write as it is now; the text says why it is not believed."""


class PrivateFolder:
    """A folder that only its owner, this process's user, may enter."""

    def __init__(self, path: Path) -> None:
        """Make the folder, or take it as it is; PluginError when others could have been in it."""
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = path.lstat()
        except OSError as error:
            raise PluginError(f"{path} cannot be made: {error.strerror}") from error
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PluginError(f"{path} is not a folder of this user: remove it")
        if found.st_mode & 0o077:
            raise PluginError(
                f"{path} is open to others (mode {found.st_mode & 0o777:o}): "
                f"empty it, then `chmod 700` it"
            )

    def folder(self, name: str) -> Path:
        """Return a folder inside, as private as this one."""
        return PrivateFolder(self.path / name).path

    def read(self, name: str, label: str, limit: int) -> bytes | None:
        """Return what was sealed under `name` and `label`, None when there is no such file.

        UntrustedError when it is not this device's: cut short, forged, foreign, writable by others.
        """
        data = read_own(self.path / name, limit + len(_MARK) + _TAG_BYTES)
        if data is None:
            return None
        start = len(_MARK) + _TAG_BYTES
        mark, tag = data[: len(_MARK)], data[len(_MARK) : start]
        if mark != _MARK or not hmac.compare_digest(tag, self._tag(label, data[start:])):
            raise UntrustedError(f"{name} was cut short, changed, or not written here")
        return data[start:]

    def write(self, name: str, label: str, content: bytes) -> None:
        """Seal `content` under `name` and `label`; a crash leaves the old file or the new one."""
        replace_file(self.path / name, _MARK + self._tag(label, content) + content)

    def remove(self, name: str) -> None:
        """Delete a file; none there is fine."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / name).unlink()

    def _tag(self, label: str, content: bytes) -> bytes:
        digest = hashlib.sha256(content).digest()
        return hmac.digest(self._key(), label.encode() + b"\0" + digest, "sha256")

    def _key(self) -> bytes:
        path = self.path / KEY
        try:
            key = read_own(path, _KEY_BYTES, others=0o077)
        except UntrustedError:
            # Nothing sealed with a key that others could know is believed any more.
            path.unlink()
            key = None
        if key is not None and len(key) == _KEY_BYTES:
            return key
        if key is not None:
            path.unlink()
        made = self.path / f".{KEY}.{secrets.token_hex(8)}"
        replace_file(made, secrets.token_bytes(_KEY_BYTES))
        # Another process may be making one at this moment: the first that is linked is the key.
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
        return read_own(path, _KEY_BYTES, others=0o077) or b""


def read_own(path: Path, limit: int, others: int = 0o022) -> bytes | None:
    """Return a file of this user alone; None when it is missing, UntrustedError when it is not.

    others: mode bits that nobody else may have.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UntrustedError(f"{path.name} cannot be opened: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise UntrustedError(f"{path.name} is not a file of this user")
        if found.st_mode & others:
            raise UntrustedError(f"{path.name} is open to others (mode {found.st_mode & 0o777:o})")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise UntrustedError(f"{path.name} is larger than {limit} bytes")
    return data


def replace_file(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole, or not at all, and see it on the disk."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """See on the disk what was renamed in a folder."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
