"""How often somebody may be wrong at a login or a door."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

FREE = 5
FIRST_S, CAP_S = 15.0, 900.0
KEPT = 2048
FORGET_S = 3600.0
ADDRESS_LIMIT = 64


def who_asks(peer: str | None, forwarded: str, *, behind_proxy: bool) -> str:
    """Return the key of a visitor: the peer, or whom the proxy before us names last.

    forwarded: X-Forwarded-For, of which all but the last is what the visitor says of himself.
    """
    last = forwarded.rpartition(",")[2].strip() if behind_proxy else ""
    return last[:ADDRESS_LIMIT] or peer or "?"


@dataclass(slots=True)
class _Wrong:
    count: int = 0
    until: float = 0.0
    last: float = 0.0


class Brake:
    """After FREE failures of a key (an address, a name) each one more doubles the wait."""

    def __init__(self, mono: Callable[[], float]) -> None:
        self._mono = mono
        self._wrong: dict[str, _Wrong] = {}
        self._lock = threading.Lock()

    def wait(self, *keys: str) -> float:
        """Return the seconds until one of the keys may try again, 0 when all may now."""
        with self._lock:
            now = self._mono()
            found = [self._wrong[key].until - now for key in keys if key in self._wrong]
            return max([0.0, *found])

    def failed(self, *keys: str) -> None:
        """Count a failure."""
        with self._lock:
            now = self._mono()
            for key in keys:
                one = self._wrong.pop(key, _Wrong())
                if now - one.last > FORGET_S:
                    one = _Wrong()
                one.count, one.last = one.count + 1, now
                if one.count >= FREE:
                    one.until = now + min(CAP_S, FIRST_S * 2 ** min(10, one.count - FREE))
                self._wrong[key] = one
            while len(self._wrong) > KEPT:
                # The one that failed longest ago: an attacker with many names frees no other.
                self._wrong.pop(next(iter(self._wrong)))

    def passed(self, *keys: str) -> None:
        """Forget a key's failures."""
        with self._lock:
            for key in keys:
                self._wrong.pop(key, None)
