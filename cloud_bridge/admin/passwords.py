"""Passwords: made, hashed with Argon2id, and compared in the same time whoever asks."""

import secrets
import threading
import time
from collections.abc import Callable
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cloud_bridge.store.users import User, UserStore

FIRST_USER = "admin"
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what is mistaken for something else on paper."""
LEAST, LONGEST = 12, 256

_hasher = PasswordHasher()
_one_at_a_time = threading.Semaphore(2)
"""A hash takes 64 MiB: as many at once as callers would be a way to take the host's memory."""
_nobody = _hasher.hash(secrets.token_hex(16))


def make_password() -> str:
    """Return a one-time password of 78 bits: four groups of four letters."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))


def hashed(password: str) -> str:
    """Return the Argon2id hash."""
    with _one_at_a_time:
        return _hasher.hash(password)


def fits(password: str, user: User | None) -> bool:
    """Return whether it is the user's; nobody's takes as long as somebody's."""
    kept = _nobody if user is None else user.password
    with _one_at_a_time:
        try:
            same = _hasher.verify(kept, password[:LONGEST])
        except (VerificationError, InvalidHashError):
            return False
    return same and user is not None


def outdated(user: User) -> bool:
    """Return whether the hash was made with weaker settings than today's."""
    return _hasher.check_needs_rehash(user.password)


def digest(secret: str) -> str:
    """Return what is stored of a browser's secret."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def why_not(new: str, again: str, old: str) -> str:
    """Return what is wrong with a new password, "" when it is fine."""
    if new != again:
        return "The two new passwords differ."
    if not LEAST <= len(new) <= LONGEST:
        return f"Take {LEAST} to {LONGEST} characters."
    if new == old:
        return "Take another one than before."
    if len(set(new)) < 5:
        return "Take one with at least five different characters."
    return ""


def first_password(users: UserStore, wall: Callable[[], float] = time.time) -> str:
    """Make the first person with a one-time password and return it; "" when somebody is there."""
    if users.count():
        return ""
    password = make_password()
    user = User(FIRST_USER, hashed(password), "admin", must_change=True, changed=wall())
    return password if users.add_first(user) else ""


def reset_password(users: UserStore, wall: Callable[[], float] = time.time) -> str:
    """Give the first person a one-time password, sign them out everywhere, and return it."""
    password = make_password()
    users.set(User(FIRST_USER, hashed(password), "admin", must_change=True, changed=wall()))
    return password
