"""Starts processes, restarts what dies, and leaves none behind."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.world.waiting import until

DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "TERM", "--")
"""Before a command line: the kernel ends the process when the thread that started it ends."""

SETTLED_S = 1.0
"""What ran this long is started again at once; what did not, waits longer each time."""


def _unheard(_name: str, _text: str) -> None:
    return


@dataclass
class Child:
    """One process that should be running. `deaths`: how often it ended unasked.

    `early`: how often in a row it ended before it had run for SETTLED_S; began: monotonic.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    process: subprocess.Popen[bytes]
    deaths: int = 0
    early: int = 0
    began: float = field(default_factory=time.monotonic)
    restart_at: float = 0.0


@dataclass
class Supervisor:
    """Keeps named processes alive until `close`. Their output goes to `folder`/<name>.log."""

    folder: Path
    on_event: Callable[[str, str], None] = _unheard
    _children: dict[str, Child] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _closing: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Child:
        """Start `argv` and keep it running."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
                self._thread.start()
            environment = {**os.environ, **(env or {})}
            child = Child(name, argv, environment, self._spawn(name, argv, environment))
            self._children[name] = child
            return child

    def pid(self, name: str) -> int:
        """Return the process id of `name` as it runs now."""
        with self._lock:
            return self._children[name].process.pid

    def deaths(self, name: str) -> int:
        """Return how often `name` ended without being asked to."""
        with self._lock:
            return self._children[name].deaths

    def kill(self, name: str) -> None:
        """Kill `name` with SIGKILL; it is started again."""
        with self._lock:
            self._children[name].process.kill()

    def hold(self, name: str) -> None:
        """Kill `name` with SIGKILL; it stays away until `resume`."""
        with self._lock:
            self._children[name].restart_at = math.inf
            self._children[name].process.kill()
            self._children[name].process.wait()

    def resume(self, name: str) -> None:
        """Start `name` again after `hold`."""
        with self._lock:
            self._children[name].restart_at = time.monotonic()

    def close(self, grace_s: float = 3.0) -> list[str]:
        """End everything, last started first; return the names that had to be killed."""
        self._closing.set()
        with self._lock:
            children = list(reversed(self._children.values()))
            for child in children:
                if child.process.poll() is None:
                    child.process.terminate()
            with suppress(AssertionError):
                until(lambda: all(_ended(child) for child in children), grace_s)
            stubborn = [child for child in children if not _ended(child)]
            for child in stubborn:
                child.process.kill()
                child.process.wait()
            self._children.clear()
        # Ctrl-C may have come before it had begun.
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(timeout=1.0)
        return [child.name for child in stubborn]

    def _spawn(
        self, name: str, argv: Sequence[str], env: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*DIE_WITH_PARENT, *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(env),
                # Ctrl-C goes to the whole foreground group: only the supervisor answers to it.
                start_new_session=True,
            )

    def _watch(self) -> None:
        while not self._closing.wait(0.1):
            with self._lock:
                if self._closing.is_set():
                    return
                for child in self._children.values():
                    self._tend(child)

    def _tend(self, child: Child) -> None:
        code = child.process.poll()
        if code is None:
            return
        now = time.monotonic()
        if not child.restart_at:
            child.deaths += 1
            child.early = child.early + 1 if now - child.began < SETTLED_S else 0
            wait = min(5.0, 0.2 * 2 ** min(child.early, 5))
            child.restart_at = now + wait
            self.on_event(child.name, f"ended with {code}, starts again in {wait:.1f} s")
        elif now >= child.restart_at:
            child.restart_at = 0.0
            child.began = now
            child.process = self._spawn(child.name, child.argv, child.env)


def _ended(child: Child) -> bool:
    return child.process.poll() is not None


def sweep(mark: str) -> list[str]:
    """Kill every process whose command line or environment names `mark`, but us and our parent.

    The last resort for what somebody else's child left running; returns the command lines.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in (os.getpid(), os.getppid()):
            continue
        try:
            line = (entry / "cmdline").read_bytes()
            if mark.encode() in line + (entry / "environ").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
                found.append(line.replace(b"\0", b" ").decode(errors="replace").strip())
        except OSError:
            continue
    return found


def python(*argv: str) -> list[str]:
    """Return the command line that runs this interpreter."""
    return [sys.executable, *argv]
