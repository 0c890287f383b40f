"""Signatures in minisign's formats: Debian's `minisign` reads what this writes and the reverse.

A signature file has four lines: untrusted comment, base64(algorithm, key id, signature), trusted
comment, base64(signature over the signature and the trusted comment). Algorithm `Ed` signs the
bytes, `ED` their BLAKE2b-512 hash; new signatures are `ED`, as minisign's are.
"""

import base64
import binascii
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.plugins.errors import PluginError

SUFFIX = ".minisig"
FILE_LIMIT = 8 * 1024
_UNTRUSTED, _TRUSTED = "untrusted comment: ", "trusted comment: "


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may sign plugins. `id`: eight bytes; `name`: the file it was pinned with."""

    id: bytes
    raw: bytes
    name: str = ""

    @property
    def label(self) -> str:
        """The key id as minisign prints it."""
        return self.id[::-1].hex().upper()


@dataclass(frozen=True, slots=True, repr=False)
class SecretKey:
    """A signing key. `seed`: the 32 bytes Ed25519 starts from."""

    id: bytes
    seed: bytes

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this one signs."""
        return PublicKey(
            self.id, Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        )


def keygen() -> SecretKey:
    """Return a new signing key from the system's randomness."""
    return SecretKey(os.urandom(8), os.urandom(32))


def public_text(key: PublicKey) -> str:
    """Return the public key file."""
    return f"{_UNTRUSTED}minisign public key {key.label}\n{_b64(b'Ed' + key.id + key.raw)}\n"


def secret_text(key: SecretKey) -> str:
    """Return the secret key file, without a password (as `minisign -G -W` writes it)."""
    pair = key.id + key.seed + key.public.raw
    check = hashlib.blake2b(b"Ed" + pair, digest_size=32).digest()
    body = b"Ed" + b"\0\0" + b"B2" + bytes(48) + pair + check
    return f"{_UNTRUSTED}minisign secret key, keep it out of the tree\n{_b64(body)}\n"


def parse_public(text: str, where: str) -> PublicKey:
    """Return the key in a public key file."""
    raw = _unb64(_line(text, 1, where), 42, where)
    if raw[:2] != b"Ed":
        raise PluginError(f"{where} is not a minisign public key")
    return PublicKey(raw[2:10], raw[10:], where)


def parse_secret(text: str, where: str) -> SecretKey:
    """Return the key in a secret key file without a password."""
    raw = _unb64(_line(text, 1, where), 158, where)
    if raw[:2] != b"Ed" or raw[4:6] != b"B2":
        raise PluginError(f"{where} is not a minisign secret key")
    if raw[2:4] != b"\0\0":
        raise PluginError(f"{where} has a password: sign with `minisign -S -s {where} -m FILE`")
    pair, check = raw[54:126], raw[126:]
    if hashlib.blake2b(b"Ed" + pair, digest_size=32).digest() != check:
        raise PluginError(f"{where} is damaged: its checksum does not match")
    return SecretKey(pair[:8], pair[8:40])


def sign(data: bytes, key: SecretKey, comment: str) -> str:
    """Return the signature file over `data`; `comment` is signed with it."""
    if not comment.isprintable():
        raise PluginError("a signature's comment is one line of printable text")
    private = Ed25519PrivateKey.from_private_bytes(key.seed)
    signature = private.sign(hashlib.blake2b(data).digest())
    over = private.sign(signature + comment.encode())
    return (
        f"{_UNTRUSTED}signature of a roomkeeper plugin\n{_b64(b'ED' + key.id + signature)}\n"
        f"{_TRUSTED}{comment}\n{_b64(over)}\n"
    )


def verify(data: bytes, signature: str, keys: tuple[PublicKey, ...], where: str) -> PublicKey:
    """Return the pinned key that signed `data`; PluginError when none of them did."""
    raw = _unb64(_line(signature, 1, where), 74, where)
    trusted = _line(signature, 2, where)
    over = _unb64(_line(signature, 3, where), 64, where)
    algorithm, key_id, body = raw[:2], raw[2:10], raw[10:]
    if algorithm not in (b"Ed", b"ED") or not trusted.startswith(_TRUSTED):
        raise PluginError(f"{where} is not a minisign signature: sign the manifest again")
    key = next((key for key in keys if key.id == key_id), None)
    if key is None:
        raise PluginError(
            f"{where} is by key {key_id[::-1].hex().upper()}, which is not pinned: "
            "add its public key to the keys folder if you trust it"
        )
    message = hashlib.blake2b(data).digest() if algorithm == b"ED" else data
    try:
        public = Ed25519PublicKey.from_public_bytes(key.raw)
        public.verify(body, message)
        public.verify(over, body + trusted[len(_TRUSTED) :].encode())
    except (InvalidSignature, ValueError) as error:
        raise PluginError(
            f"{where} does not match: the manifest or its signature was changed after signing; "
            "restore both, or sign the manifest again"
        ) from error
    return key


def load_keys(folder: Path) -> tuple[PublicKey, ...]:
    """Return the pinned keys (`*.pub`) of a folder; PluginError when there is none."""
    files = sorted(folder.glob("*.pub"))
    if not files:
        raise PluginError(f"{folder} holds no *.pub key: without a pinned key no plugin can run")
    return tuple(parse_public(read_text(file), file.name) for file in files)


def read_text(file: Path) -> str:
    """Return a small text file; PluginError says which is missing, too large or not text."""
    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_LIMIT + 1)
    except OSError as error:
        raise PluginError(f"{file} cannot be read: {error}") from error
    if len(data) > FILE_LIMIT:
        raise PluginError(f"{file} is larger than a key or signature can be ({FILE_LIMIT} B)")
    return as_text(data, str(file))


def as_text(data: bytes, where: str) -> str:
    """Return the text of a key or signature file; PluginError when it is none."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PluginError(f"{where} cannot be read: {error}") from error


def _line(text: str, index: int, where: str) -> str:
    # Only line feeds part lines here: a trusted comment may hold what splitlines() would cut at.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if index >= len(lines) or not lines[0].startswith(_UNTRUSTED):
        raise PluginError(f"{where} is cut short or not in minisign's format")
    return lines[index]


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(text: str, length: int, where: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PluginError(f"{where} is not in minisign's format: {error}") from error
    if len(data) != length or not re.fullmatch(r"[A-Za-z0-9+/=]*", text):
        raise PluginError(f"{where} is not in minisign's format: {len(data)} bytes, not {length}")
    return data
