"""The connect codes that this panel minted: known here alone, for as long as it runs."""

import secrets
import threading
from collections.abc import Mapping

from edge.contracts import codes

KEPT = 16


class Minted:
    """Seal -> code, the latest ones. Safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}

    def mint(self, key: str) -> str:
        """Make a code for the machine `key` and return its seal."""
        code = codes.mint(key, secrets.token_bytes(16))
        sealed = codes.seal(code, key)
        with self._lock:
            self._known[sealed] = code
            while len(self._known) > KEPT:
                self._known.pop(next(iter(self._known)))
        return sealed

    def known(self) -> Mapping[str, str]:
        """Return every code that may be shown once the room lets it, by its seal."""
        with self._lock:
            return dict(self._known)
