"""The life that every server of the test world shares: a folder, a process, and both gone after."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.world.waiting import until

ENDS_S = 10.0


class Server:
    """One process in a temporary folder of its own, as a context. A subclass says how it starts."""

    name = ""
    """What it is called in errors and in its folder's name."""

    def __init__(self) -> None:
        made = tempfile.mkdtemp(prefix=f"roomkeeper-{self.name.lower().replace(' ', '')}-")
        self.folder = Path(made)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, and return once it serves."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """The running process's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def log(self) -> str:
        """Return what it printed."""
        return self._log.read_text(errors="replace")

    def _launch(self, line: Sequence[str], serves: Callable[[], bool], seconds: float) -> None:
        """Start `line` in the folder; RuntimeError with its log when it does not serve in time."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(line, stdout=log, stderr=log, cwd=self.folder)
        process = self._process

        def up() -> bool:
            assert process.poll() is None
            return serves()

        try:
            until(up, seconds)
        except AssertionError:
            raise RuntimeError(f"{self.name} does not run: {self.log()[-3000:]}") from None

    def _ask_to_end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()

    def stop(self) -> None:
        """End it; what does not end within ten seconds is killed."""
        if self._process is None:
            return
        self._ask_to_end(self._process)
        try:
            self._process.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(ENDS_S)
        self._process = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
