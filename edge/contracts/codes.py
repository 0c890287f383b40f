"""Connect codes: made in the room, carried as a seal, opened at the service's door. Pure.

A code is nine characters, shown in threes: where it belongs (of the machine's key, no secret) and
six that only whoever stands before the panel can know. What travels and is kept is its seal.
"""

import hashlib
import hmac
import re

ALPHABET = "23456789ACDEFGHJKMNPQRTUWXY"
"""Read aloud or from afar, none is taken for another: no 0 O, 1 I L, B, S, V, Z."""
PLACE, SECRET = 3, 6
TYPED_LIMIT = 40
SEAL = re.compile(r"\A[0-9a-f]{64}\Z")


def mint(key: str, chance: bytes) -> str:
    """Return a code for the machine `key`; chance: 16 bytes nobody can guess."""
    return place(key) + _letters(int.from_bytes(chance, "big"), SECRET)


def place(key: str) -> str:
    """Return the first characters of every code of the machine `key`."""
    return _letters(int.from_bytes(hashlib.sha256(f"door {key}".encode()).digest(), "big"), PLACE)


def seal(code: str, key: str) -> str:
    """Return what is kept of a code: costly to try (16 MiB, some 50 ms), 64 hex digits."""
    return hashlib.scrypt(code.encode(), salt=key.encode(), n=2**14, r=8, p=1, dklen=32).hex()


def opens(code: str, key: str, sealed: str) -> bool:
    """Return whether the code is the one that was sealed for the machine `key`."""
    return hmac.compare_digest(seal(code, key), sealed)


def is_seal(text: object) -> bool:
    """Return whether `text` has the form of a seal."""
    return isinstance(text, str) and SEAL.match(text) is not None


def typed(text: str) -> str:
    """Return a code as somebody typed it, freed of case, blanks and dashes; "" when it is none."""
    if len(text) > TYPED_LIMIT:
        return ""
    bare = re.sub(r"[\s\-\u2010-\u2015.]", "", text).upper()
    known = len(bare) == PLACE + SECRET and all(letter in ALPHABET for letter in bare)
    return bare if known else ""


def shown(code: str) -> str:
    """Return a code as people read it: in threes."""
    return "-".join(code[at : at + 3] for at in range(0, len(code), 3))


def _letters(number: int, count: int) -> str:
    letters = ""
    for _ in range(count):
        number, digit = divmod(number, len(ALPHABET))
        letters += ALPHABET[digit]
    return letters
