"""One process writes a journal at a time."""

import fcntl
import os
from pathlib import Path

from edge.journal.errors import JournalError


class Lock:
    """Held while a process writes the journal; the kernel lets go when the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = Path(f"{path}.lock")
        while True:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self._descriptor)
                raise JournalError(
                    f"{path} is written by another process: stop that one or name another file"
                ) from None
            if self._is_named():
                return
            os.close(self._descriptor)

    def _is_named(self) -> bool:
        """Whether the file we locked still has its name: its last holder may have removed it."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Let another process have it."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
