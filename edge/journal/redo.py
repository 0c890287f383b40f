"""The redo log: a few rows made durable in one write to the disk, before the database has them.

SQLite makes a commit durable by several pages, written through the kernel's cache and then synced.
What waits for a few rows waits here for one write, straight to the disk, into a file that never
grows; the database gets the rows behind it, and is synced before the log begins anew. A start after
a kill or a loss of power puts in what the database lacks. `<journal>-redo` belongs to the journal
as `<journal>-wal` does; a journal that was closed has neither.
"""

import errno
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edge.contracts.base import Frozen
from edge.journal.chain import Head, Link, link
from edge.journal.errors import JournalError
from edge.journal.rows import Row, check

SIZE = 512 * 1024
"""Bytes: some hundred commits of a room, about ten seconds at its liveliest."""
LARGEST = 16 * 1024
"""Bytes of a record at most: of more, the database's own way costs less."""
MOST_ROWS = 64
BLOCK = 4096
"""What disks write at least, and the alignment that a write past the kernel's cache needs."""
_HEADER = struct.Struct("<4sII")
_MAGIC = b"RKR1"
_ENCODER = msgspec.msgpack.Encoder()


class Record(Frozen, frozen=True):
    """What one commit added: `rows`, the first of them as row `seq`.

    ident: the journal's name; boot: the start that wrote it. Their hashes follow from what is
    before them: to reckon them takes time for which nobody need wait.
    """

    ident: str
    boot: int
    seq: int
    rows: tuple[Row, ...]


_DECODER = msgspec.msgpack.Decoder(Record)


def redo_path(journal: Path) -> Path:
    """Return where the redo log of a journal is."""
    return Path(f"{os.path.realpath(journal)}-redo")  # as SQLite names its own


class RedoLog:
    """The writing side, for one thread at a time. It begins empty; OSError where it cannot."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0
        self._refused = False
        self._page = mmap.mmap(-1, LARGEST)  # at a page's begin, as a write past the cache needs
        self._file = _prepare(path)

    def write(self, record: Record) -> bool:
        """Make a record durable; False, and nothing is promised, when that is not to be had here.

        It is too large, there is no room before `restart`, or the disk refuses.
        """
        if self._refused or len(record.rows) > MOST_ROWS:
            return False
        body = _ENCODER.encode(record)
        size = _HEADER.size + len(body)
        whole = -size % BLOCK + size
        if whole > min(LARGEST, SIZE - self._place):
            return False
        self._page[:size] = _HEADER.pack(_MAGIC, len(body), zlib.crc32(body)) + body
        try:
            with memoryview(self._page)[:whole] as blocks:
                written = os.pwrite(self._file, blocks, self._place)
        except OSError:
            written = 0
        self._refused = written < whole
        self._place += whole
        return not self._refused

    @property
    def used(self) -> bool:
        """Whether anything was written since the last restart."""
        return self._place > 0

    @property
    def nearly_full(self) -> bool:
        """Whether it is time for `restart`, while nobody waits for it."""
        return self._refused or self._place > SIZE * 3 // 4

    def restart(self) -> None:
        """Begin anew: all that was written is durable elsewhere."""
        self._place, self._refused = 0, False

    def close(self, *, remove: bool) -> None:
        """Let go of the file. remove: it holds nothing that is not durable elsewhere."""
        os.close(self._file)
        if remove:
            self._path.unlink(missing_ok=True)


def _prepare(path: Path) -> int:
    """Return a descriptor of a file of zeros, all blocks written; writes to it are durable."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with memoryview(bytes(SIZE)) as zeros:
            done = 0
            while done < SIZE:
                done += os.pwrite(file, zeros[done:], done)
        os.fsync(file)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(file)
    _sync_folder(path.parent)
    durable = os.O_RDWR | os.O_DSYNC | os.O_CLOEXEC
    try:
        return os.open(path, durable | os.O_DIRECT)
    except OSError:
        return os.open(path, durable)  # a file system that knows no way past its cache


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def recorded(path: Path) -> Iterator[Record]:
    """Yield the records of a redo log from its begin, up to the first that is not whole.

    There is none where there is no file; OSError where it cannot be read. What is older than the
    last restart may follow: whoever asks knows what it has.
    """
    try:
        with path.open("rb") as file:
            content = file.read(SIZE)
    except (FileNotFoundError, IsADirectoryError):
        return
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return
        raise
    place = 0
    while place + _HEADER.size <= len(content):
        magic, length, check = _HEADER.unpack_from(content, place)
        begin = place + _HEADER.size
        body = content[begin : begin + length]
        if magic != _MAGIC or len(body) != length or zlib.crc32(body) != check:
            return
        try:
            yield _DECODER.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        place = begin + length
        place += -place % BLOCK


def lacking(path: Path, ident: str, boot: int, head: Head) -> Iterator[tuple[Record, list[Link]]]:
    """Yield what a redo log holds behind `head` of the journal `ident`, linked, in order.

    boot: the journal's last start; what another one left behind went its own way.
    """
    for record in recorded(path):
        if record.seq + len(record.rows) <= head.seq + 1:
            continue
        if (record.ident, record.boot, record.seq) != (ident, boot, head.seq + 1):
            return
        try:
            for row in record.rows:
                check(row)
            links, head = link(record.rows, record.boot, head)
        except (JournalError, struct.error):
            return
        yield record, links
