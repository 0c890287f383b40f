"""What a failure at one key means for the next attempt at it. Pure."""

from cloud_bridge.types import Attempt
from edge.contracts.base import Now

MAX_ATTEMPTS = 5
RETRY_FIRST_S, RETRY_CAP_S = 2.0, 300.0
FULL_S = 60.0


def failed(before: Attempt | None, key: str, reason: str, now: Now) -> Attempt:
    """Return the row after one more failure: its wait doubles, spread by the key, up to 5 min."""
    attempts = 1 if before is None else before.attempts + 1
    base = min(RETRY_CAP_S, RETRY_FIRST_S * 2.0 ** min(attempts - 1, 16))
    return Attempt(key, attempts, now.wall + base * spread(key), reason=reason)


def crowded(before: Attempt | None, key: str, reason: str, now: Now) -> Attempt:
    """Return the row after a provider had no room: asked again within a minute, nothing counted.

    Room comes back when another machine ends, so waiting for it uses up no attempt.
    """
    attempts = 0 if before is None else before.attempts
    return Attempt(key, attempts, now.wall + FULL_S * spread(key), reason=reason)


def spread(key: str) -> float:
    """Return 0.5 to 1 without chance: what fails together does not come back together."""
    return 1 - sum(key.encode()) % 32 / 64
