"""The room's own plugins in a rehearsal: in their sandbox, asked at once, state kept for nobody."""

from pathlib import Path
from types import TracebackType

from edge.config import RoomConfig
from edge.contracts.base import Now
from edge.contracts.signals import PluginAnswered, PluginFailed, Signal
from edge.decide.events import Call
from edge.plugins.errors import PluginError
from edge.plugins.install import InstalledPlugin, load_plugins
from edge.plugins.runner import Runner
from edge.plugins.sandbox import GuestError, Sandbox

PREFIX = "plugin:"


class Cast:
    """The enabled plugins that can run. asked: whether they are loaded to be asked, too.

    notes: why one of them takes no part. Close it, or use it as a context.
    """

    def __init__(self, room: RoomConfig, *, asked: bool) -> None:
        self.plugins: list[InstalledPlugin] = []
        self.notes: list[str] = []
        self._runners: dict[str, Runner] = {}
        section = room.plugins
        for name in section.enabled:
            try:
                self.plugins += load_plugins(
                    Path(section.folder), Path(section.keys), [name], section.settings
                )
            except PluginError as error:
                self.notes.append(f"plugin {name} takes no part: {error}")
        self._box = Sandbox() if asked else None
        if self._box is None and self.plugins:
            self.notes.append("plugins are not asked: what they choose may differ from the plan")
        for plugin in self.plugins if self._box is not None else ():
            self._load(plugin, self._box)

    def _load(self, plugin: InstalledPlugin, box: Sandbox | None) -> None:
        runner = Runner(plugin)
        try:
            if box is not None:
                runner.load(box)
                self._runners[plugin.id] = runner
        except PluginError as error:
            self.notes.append(f"plugin {plugin.id} takes no part: {error}")

    def answer(self, call: Call, kept: str, now: Now, seed: int) -> Signal:
        """Return what the plugin, having kept that state, says to one event."""
        runner = self._runners.get(call.plugin.removeprefix(PREFIX))
        ids = (call.event.id,)
        if runner is None:
            return PluginFailed(call.plugin, ids, "takes no part")
        runner.state = kept
        try:
            output = runner.call((call.event,), now.wall, seed)
        except GuestError as error:
            return PluginFailed(call.plugin, ids, str(error))
        return PluginAnswered(call.plugin, ids, output.commands, output.state)

    def close(self) -> None:
        """Free the plugins and their sandbox."""
        for runner in self._runners.values():
            runner.close()
        if self._box is not None:
            self._box.close()

    def __enter__(self) -> "Cast":
        return self

    def __exit__(
        self, _k: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()
