"""Processes of one stack: all bear its folder in their environment, so none is missed."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.world.supervisor import DIE_WITH_PARENT


class Parts:
    """Starts programs by name, and ends them by the processes that it started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "log").mkdir(parents=True, exist_ok=True)
        (folder / "tmp").mkdir(exist_ok=True)
        self.env = {**os.environ, "TMPDIR": str(folder), "HOME": str(folder / "tmp")}
        # What the tests' own environment says about Python is not for these.
        for name in ("PYTHONPATH", "VIRTUAL_ENV", "COVERAGE_PROCESS_START"):
            self.env.pop(name, None)

    def start(self, name: str, line: Sequence[str], **env: str) -> None:
        """Start a program; its output goes to log/<name>."""
        with (self._folder / "log" / name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*DIE_WITH_PARENT, *line],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.env, **env},
                cwd=self._folder,
                start_new_session=True,
            )

    def run(self, name: str, line: Sequence[str], **env: str) -> None:
        """Run a program to its end; RuntimeError with its last words when it fails."""
        with (self._folder / "log" / name).open("ab") as log:
            done = subprocess.run(
                line,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self.env, **env},
                cwd=self._folder,
                timeout=600,
                check=False,
            )
        if done.returncode != 0:
            raise RuntimeError(f"{name} ended with {done.returncode}:\n{self.last_words(name)}")

    def kill(self, name: str) -> None:
        """Kill -9 a program."""
        process = self._running.pop(name)
        process.kill()
        process.wait(10)

    def end(self, name: str, seconds: float = 20.0) -> None:
        """Ask a program to end, and kill it when it does not."""
        process = self._running.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def names(self) -> list[str]:
        """Return who runs, the youngest first."""
        return list(reversed(self._running))

    def wait(self, name: str, holds: Callable[[], object], seconds: float = 120.0) -> None:
        """Return once `holds()`; RuntimeError with the program's last words when it ended."""
        deadline = time.monotonic() + seconds
        while not holds():
            ended = self._running[name].poll() is not None
            if ended or time.monotonic() > deadline:
                what = "ended" if ended else f"does not answer within {seconds:g} s"
                raise RuntimeError(f"{name} {what}:\n{self.last_words(name)}")
            time.sleep(0.05)

    def last_words(self, name: str) -> str:
        """Return the end of a program's output."""
        file = self._folder / "log" / name
        return file.read_text(errors="replace")[-3000:] if file.exists() else ""


def program(*names: str) -> str:
    """Return where the first of these programs is; RuntimeError with the remedy when none is."""
    for name in names:
        found = shutil.which(name) or next(
            (each for each in (f"/usr/sbin/{name}", name) if Path(each).is_file()), None
        )
        if found:
            return found
    raise RuntimeError(f"no {names[0]} here: run tests/world/bootstrap.sh nova")
