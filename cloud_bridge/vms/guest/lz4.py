"""Reads the LZ4 legacy frame in which Debian compresses its kernel."""

import struct

MAGIC = b"\x02\x21\x4c\x18"


class Lz4Error(ValueError):
    """The bytes are no complete LZ4 legacy frame; the text says what is wrong."""


def decompress(data: bytes) -> bytes:
    """Return what the legacy frame at the start of `data` holds; a trailing length is ignored."""
    if data[:4] != MAGIC:
        raise Lz4Error(f"starts with {data[:4].hex()}, not with an LZ4 legacy frame")
    blocks = []
    at = 4
    # The kernel's build appends the unpacked size, four bytes that are no block.
    while at + 4 < len(data):
        size = struct.unpack_from("<I", data, at)[0]
        at += 4
        if size == 0 or at + size > len(data):
            raise Lz4Error(f"a block of {size} bytes at {at} of {len(data)}")
        blocks.append(_block(data[at : at + size]))
        at += size
    return b"".join(blocks)


def _block(data: bytes) -> bytes:
    out = bytearray()
    at, end = 0, len(data)
    try:
        while at < end:
            token = data[at]
            length, at = _length(data, at + 1, token >> 4)
            out += data[at : at + length]
            at += length
            if at >= end:
                break
            back = data[at] | data[at + 1] << 8
            length, at = _length(data, at + 2, token & 15)
            _repeat(out, back, length + 4)
    except IndexError:
        raise Lz4Error(f"a block of {end} bytes is cut short") from None
    return bytes(out)


def _length(data: bytes, at: int, length: int) -> tuple[int, int]:
    if length < 15:
        return length, at
    while True:
        more = data[at]
        at += 1
        length += more
        if more != 255:
            return length, at


def _repeat(out: bytearray, back: int, length: int) -> None:
    start = len(out) - back
    if back == 0 or start < 0:
        raise Lz4Error(f"a copy from {back} bytes before the start")
    if length <= back:
        out += out[start : start + length]
        return
    piece = bytes(out[start:])
    out += (piece * (length // back + 1))[:length]
