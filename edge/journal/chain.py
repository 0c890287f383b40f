"""The chain: how a row's hash is made from the row and its predecessor."""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from edge.journal.rows import Row

GENESIS = bytes(32)
"""What the first row follows."""

Link = tuple[int, int, str, str, float, float, bool, bytes, bytes, bytes]
"""A row in the chain: seq, boot, kind, id, wall, mono, trusted, payload's hash, prev, hash."""

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


@dataclass(frozen=True, slots=True)
class Head:
    """The chain's last row: its place and its hash."""

    seq: int = 0
    hash: bytes = GENESIS


def link(rows: Iterable[Row], boot: int, head: Head) -> tuple[list[Link], Head]:
    """Return the rows' places behind `head`, in order, and what the head is then."""
    links: list[Link] = []
    seq, prev = head.seq, head.hash
    for row in rows:
        seq += 1
        now = row.now
        payload = payload_hash(row.body)
        trusted = bool(now.trusted)
        digest = row_hash(seq, boot, row.kind, row.id, now.wall, now.mono, trusted, payload, prev)
        links.append(
            (seq, boot, row.kind, row.id, now.wall, now.mono, trusted, payload, prev, digest)
        )
        prev = digest
    return links, Head(seq, prev)
