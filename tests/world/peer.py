"""A simulated device as a process of its own: started, killed, started again."""

import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self


class Peer:
    """Runs `python -m MODULE OPTIONS`, under another command such as `ip netns exec NAME`."""

    def __init__(self, module: str, *options: str, under: Sequence[str] = ()) -> None:
        self._line = [*under, sys.executable, "-m", module, *options]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start the process, once."""
        if self.process is None:
            self.process = subprocess.Popen(self._line, stdin=subprocess.DEVNULL)
        return self

    def kill(self) -> None:
        """End it without a word, as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.kill()
