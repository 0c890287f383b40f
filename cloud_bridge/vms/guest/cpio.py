"""Writes an initramfs (cpio "newc") that is the same bytes for the same files, without root."""

import stat
from dataclasses import dataclass

ALIGN = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the archive. mode: type and permission bits; device: (major, minor)."""

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(name: str) -> Entry:
    """Return a folder everyone may read."""
    return Entry(name, stat.S_IFDIR | 0o755)


def regular(name: str, data: bytes, mode: int = 0o644) -> Entry:
    """Return a file."""
    return Entry(name, stat.S_IFREG | mode, data)


def symlink(name: str, target: str) -> Entry:
    """Return a symbolic link to `target`."""
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def character(name: str, major: int, minor: int) -> Entry:
    """Return a character device only root may use."""
    return Entry(name, stat.S_IFCHR | 0o600, b"", (major, minor))


def archive(entries: list[Entry]) -> bytes:
    """Return the archive, owned by root, with times and inode numbers that never change."""
    parts = [_member(entry, number) for number, entry in enumerate(entries, start=1)]
    return b"".join([*parts, _member(Entry("TRAILER!!!", 0), 0)])


def _member(entry: Entry, inode: int) -> bytes:
    name = entry.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    major, minor = entry.device
    # inode, mode, uid, gid, links, mtime, size, device of the file, device it is, name, checksum
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, major, minor, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGN)
