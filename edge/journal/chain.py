"""The chain: how a row's hash is made from the row and its predecessor."""

import hashlib
import struct

GENESIS = bytes(32)
"""What the first row follows."""

_NUMBERS = struct.Struct(">qqdd?II")


def payload_hash(body: bytes) -> bytes:
    """Return the SHA-256 of a payload."""
    return hashlib.sha256(body).digest()


def row_hash(
    seq: int,
    boot: int,
    kind: str,
    row_id: str,
    wall: float,
    mono: float,
    trusted: bool,
    payload: bytes,
    prev: bytes,
) -> bytes:
    """Return the SHA-256 over one spelling of the row: fixed-size numbers, lengths, texts, hashes.

    payload, prev: 32 bytes each.
    """
    kind_bytes, id_bytes = kind.encode(), row_id.encode()
    numbers = _NUMBERS.pack(
        seq, boot, float(wall), float(mono), trusted, len(kind_bytes), len(id_bytes)
    )
    return hashlib.sha256(
        b"".join((b"roomkeeper-chain-1\n", numbers, kind_bytes, id_bytes, payload, prev))
    ).digest()
