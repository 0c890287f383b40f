"""The thread "plugin-loader": compiles, tests and picks plugins while the others go on running.

It has a sandbox of its own for each of these; what it hands over is machine code.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from edge.plugins.cache import CompileCache
from edge.plugins.errors import PluginError
from edge.plugins.install import InstalledPlugin
from edge.plugins.sandbox import Sandbox
from edge.plugins.selftest import self_test
from edge.plugins.shelf import Shelf

POLL_S = 1.0
"""Time between two looks at what is installed: two file states a plugin."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ready:
    """A plugin that may take over. why: what made it do so."""

    plugin: InstalledPlugin
    compiled: bytes
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A plugin that may not; `reason` is "" when what was wrong before is right again.

    harmless: nothing is wrong, but worth a line.
    """

    name: str
    reason: str
    harmless: bool = False


Deliver = Callable[[Ready | Refused], None]


class Loader:
    """Watches the shelf for what is enabled. Every method may be called from any thread."""

    def __init__(
        self,
        plugins: Sequence[InstalledPlugin],
        enabled: Sequence[str],
        cache: CompileCache | None,
        shelf: Shelf | None,
        deliver: Deliver,
    ) -> None:
        self._cache, self._shelf, self._deliver = cache, shelf, deliver
        self._enabled = tuple(enabled)
        self._running = {plugin.id: plugin.digest for plugin in plugins}
        self._stamps: dict[str, tuple[int, ...]] = {}
        self._notes: dict[str, str] = {}
        self._jobs: deque[Callable[[], None]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        # A compilation cannot be interrupted; the process must not wait for it.
        self._thread = threading.Thread(target=self._run, name="plugin-loader", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the job under way; that is not waited for long."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=0.5)

    def load(self, plugin: InstalledPlugin) -> None:
        """Compile a plugin that is too large to do so while others wait."""
        self._ask(lambda: self._make(plugin, "compiled", tested=False))

    def replace(self, plugin: InstalledPlugin, why: str) -> None:
        """Put back what ran before a plugin that fails."""
        self._ask(lambda: self._put_back(plugin, why))

    def _ask(self, job: Callable[[], None]) -> None:
        self._jobs.append(job)
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            while self._jobs and not self._stopping:
                self._safely(self._jobs.popleft())
            if self._shelf is not None:
                for name in self._enabled:
                    self._safely(lambda name=name: self._look(name))  # type: ignore[misc]
            self._wake.wait(POLL_S)

    def _safely(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:
            # A defect here costs one change of a plugin, never those that run.
            log.exception("plugin loader failed")

    def _look(self, name: str) -> None:
        shelf = self._shelf
        if shelf is None or self._stopping:
            return
        stamp = shelf.stamp(name)
        if stamp == self._stamps.get(name):
            return
        self._stamps[name] = stamp
        try:
            picked = shelf.pick(name)
            said, harmless = picked.note or picked.hint, not picked.note
        except PluginError as error:
            picked, said, harmless = None, str(error), False
        if said and shelf.stamp(name)[:3] != stamp[:3]:
            # Somebody was writing: what was read may be half of the old and half of the new.
            del self._stamps[name]
            return
        self._note(name, said, harmless=harmless)
        if picked is None:
            return
        if picked.plugin.digest != self._running.get(name):
            self._make(picked.plugin, "installed", tested=True)

    def _note(self, name: str, reason: str, *, harmless: bool = False) -> None:
        if reason != self._notes.get(name, ""):
            self._notes[name] = reason
            self._deliver(Refused(name, reason, harmless))

    def _put_back(self, plugin: InstalledPlugin, why: str) -> None:
        if self._shelf is None:
            return
        try:
            before = self._shelf.put_back(plugin.id, plugin.version, why)
        except PluginError as error:
            self._deliver(Refused(plugin.id, f"{plugin.version} fails, and none before: {error}"))
            return
        if before is not None:
            self._make(before, f"put back for {plugin.version}, which failed: {why}", tested=False)

    def _make(self, plugin: InstalledPlugin, why: str, *, tested: bool) -> None:
        """Compile and hand over; what fails its own test is held, and what runs goes on."""
        try:
            compiled = self._compiled(plugin, tested)
        except PluginError as error:
            reason = f"{plugin.version} is not taken: {error}"
            if tested and self._shelf is not None:
                self._shelf.put_back(plugin.id, plugin.version, str(error))
            self._note(plugin.id, reason)
            return
        self._running[plugin.id] = plugin.digest
        self._deliver(Ready(plugin, compiled, why))

    def _compiled(self, plugin: InstalledPlugin, tested: bool) -> bytes:
        box = Sandbox()
        try:
            manifest = plugin.manifest
            if self._cache is not None:
                guest = self._cache.guest(box, plugin)
            else:
                guest = box.compile(manifest.module, plugin.wasm, manifest.limits)
            try:
                if tested:
                    self_test(guest, plugin)
                return guest.compiled()
            finally:
                guest.close()
        finally:
            box.close()
