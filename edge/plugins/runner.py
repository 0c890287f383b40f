"""One plugin at work: its guest, kept state, failures and quarantine. Lives on one thread."""

from collections import deque

import structlog
from prometheus_client import Counter

from edge.contracts.plugin import PluginEvent, PluginInput, PluginOutput, input_encoder
from edge.plugins.answer import read_answer
from edge.plugins.cache import CompileCache
from edge.plugins.install import InstalledPlugin
from edge.plugins.sandbox import Guest, GuestError, Sandbox
from edge.plugins.selftest import introduce

FAILURES = 3
FAILURES_WITHIN_S = 60.0
SAID_A_MINUTE = 30
SAID_LIMIT = 200
_LEVELS = ("debug", "info", "warning", "error")
LINES_DROPPED = Counter(
    "roomkeeper_plugin_lines_dropped", "Lines a plugin logged that the journal left out", ["plugin"]
)

log = structlog.get_logger()


class Runner:
    """Calls one plugin. `quarantined` is the reason it is not called any more, or "".

    unfit: it could not be loaded.
    """

    def __init__(self, plugin: InstalledPlugin) -> None:
        self.plugin = plugin
        self.state = ""
        self.quarantined = ""
        self.unfit = False
        self._guest: Guest | None = None
        self._lines: list[str] = []
        self._minute, self._told = 0.0, 0
        self._failures: deque[float] = deque(maxlen=FAILURES)

    def load(
        self, box: Sandbox, cache: CompileCache | None = None, compiled: bytes | None = None
    ) -> None:
        """Get the plugin ready and hear who it says it is; PluginError when it cannot run.

        compiled: its machine code when this process has made it already.
        """
        manifest = self.plugin.manifest
        if compiled is not None:
            guest = box.load(manifest.module, compiled, manifest.limits, self._say)
        elif cache is not None:
            guest = cache.guest(box, self.plugin, self._say)
        else:
            guest = box.compile(manifest.module, self.plugin.wasm, manifest.limits, self._say)
        introduce(guest, manifest)
        self._guest = guest
        guest.prepare()

    @property
    def answers(self) -> bool:
        """Whether events may be handed to it: it is loaded, or known to be unfit."""
        return self._guest is not None or self.unfit

    def inherit(self, old: "Runner") -> None:
        """Go on with what the version before kept, when both speak of the same state."""
        if old.plugin.manifest.state == self.plugin.manifest.state:
            self.state = old.state

    def call(self, events: tuple[PluginEvent, ...], now: float, seed: int) -> PluginOutput:
        """Return the plugin's answer and keep its state; GuestError when there is none."""
        if self._guest is None:
            raise GuestError("is not loaded")
        given = PluginInput(
            events=events, now=now, seed=seed, state=self.state, settings=self.plugin.settings
        )
        text = input_encoder.encode(given).decode("utf-8")
        try:
            output = read_answer(
                self._guest.call("handle", text), frozenset([event.id for event in events])
            )
        except (GuestError, UnicodeDecodeError) as error:
            # Whoever answers nonsense may have lost its mind: a reused instance goes as well.
            self._guest.close()
            if isinstance(error, GuestError):
                raise
            raise GuestError("answered no UTF-8") from error
        self.state = output.state
        return output

    def prepare(self) -> None:
        """Get ready for the next call while nobody waits for it."""
        if self._guest is not None:
            self._guest.prepare()

    def close(self) -> None:
        """Free what was made ready."""
        if self._guest is not None:
            self._guest.close()

    def failed(self, reason: str, mono: float) -> None:
        """Count a failure; the third within a minute quarantines the plugin."""
        self._failures.append(mono)
        full = len(self._failures) == FAILURES
        if full and mono - self._failures[0] <= FAILURES_WITHIN_S:
            self.quarantined = f"{FAILURES} failures in {FAILURES_WITHIN_S:g} s, last: {reason}"

    def release(self) -> None:
        """End the quarantine and forget the failures."""
        self.quarantined = ""
        self._failures.clear()

    def said(self, mono: float) -> tuple[str, ...]:
        """Return what it logged since last asked: so much a minute, the rest is counted."""
        if not self._lines:
            return ()
        lines, self._lines = self._lines, []
        if mono - self._minute >= 60.0:
            self._minute, self._told = mono, 0
        kept = lines[: max(0, SAID_A_MINUTE - self._told)]
        self._told += len(lines)
        if len(kept) < len(lines):
            LINES_DROPPED.labels(self.plugin.id).inc(len(lines) - len(kept))
        return tuple(kept)

    def _say(self, level: str, message: str) -> None:
        if "log" in self.plugin.manifest.capabilities:
            level = level if level in _LEVELS else "info"
            getattr(log, level)("plugin said", plugin=self.plugin.id, message=message)
            self._lines.append(f"{level}: {message[:SAID_LIMIT]}")
