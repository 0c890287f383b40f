"""One plugin at work: its guest, kept state, failures and quarantine. Lives on one thread."""

import json
from collections import deque

import msgspec
import structlog

from edge.contracts.plugin import SCHEMA, PluginEvent, PluginInput, PluginOutput, input_encoder
from edge.plugins.answer import read_answer
from edge.plugins.errors import PluginError
from edge.plugins.install import InstalledPlugin
from edge.plugins.sandbox import Guest, GuestError, Sandbox

FAILURES = 3
FAILURES_WITHIN_S = 60.0
_LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error"}

log = structlog.get_logger()


class Runner:
    """Calls one plugin. `quarantined` is the reason it is not called any more, or ""."""

    def __init__(self, plugin: InstalledPlugin) -> None:
        self.plugin = plugin
        self.state = ""
        self.quarantined = ""
        self._guest: Guest | None = None
        self._failures: deque[float] = deque(maxlen=FAILURES)

    def load(self, box: Sandbox) -> None:
        """Compile the plugin and hear who it says it is; PluginError when it cannot run."""
        manifest = self.plugin.manifest
        guest = box.compile(manifest.module, self.plugin.wasm, manifest.limits, self._say)
        try:
            said = msgspec.convert(json.loads(guest.call("describe", None)), dict[str, object])
        except (ValueError, RecursionError) as error:
            raise PluginError(f"{manifest.module} describes itself badly: {error}") from error
        if said.get("id") != manifest.id or said.get("schema") != SCHEMA:
            raise PluginError(f"{manifest.module} says it is {str(said)[:100]}, not {manifest.id}")
        self._guest = guest
        guest.prepare()

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
                self._guest.call("handle", text), frozenset(event.id for event in events)
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

    def _say(self, level: str, message: str) -> None:
        if "log" in self.plugin.manifest.capabilities:
            say = getattr(log, _LEVELS.get(level, "info"))
            say("plugin said", plugin=self.plugin.id, message=message)
