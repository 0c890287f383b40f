"""Configuration into the values that the pure parts are called with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from edge.actuators.gate import Gate
from edge.config import RoomConfig
from edge.decide.core import CoreSettings
from edge.decide.intents import Intent
from edge.decide.policy import Policy
from edge.decide.proposals import Grant, PluginRules
from edge.decide.sky import Place
from edge.decide.step import Core
from edge.fusion.state import FusionRules
from edge.meetings.life import MeetingRules
from edge.plugins.cache import CompileCache
from edge.plugins.errors import PluginError
from edge.plugins.install import InstalledPlugin
from edge.plugins.private import PrivateFolder
from edge.plugins.shelf import Shelf
from edge.plugins.versions import Versions

log = structlog.get_logger()


class Plugins(NamedTuple):
    """The plugins of a room. refused: source and reason of what may not run, or cannot be kept."""

    runnable: tuple[InstalledPlugin, ...]
    shelf: Shelf
    cache: CompileCache | None
    refused: tuple[tuple[str, str], ...]


def find_plugins(config: RoomConfig) -> Plugins:
    """Return the plugins that may run, and why the others may not."""
    section = config.plugins
    folder, keys = Path(section.folder), Path(section.keys)
    versions: Versions | None = None
    cache: CompileCache | None = None
    refused: list[tuple[str, str]] = []
    try:
        store = PrivateFolder(Path(section.store))
        versions = Versions(store, keys)
        cache = CompileCache(PrivateFolder(store.path / "compiled"))
    except PluginError as error:
        log.error("plugins cannot be kept", reason=str(error))
        refused.append(("plugin-store", str(error)))
    shelf = Shelf(folder, keys, versions, section.settings)
    runnable = []
    for name in section.enabled:
        try:
            runnable.append(shelf.pick(name).plugin)
        except PluginError as error:
            log.error("plugin refused", plugin=name, reason=str(error))
            refused.append((f"plugin:{name}", str(error)))
    return Plugins(tuple(runnable), shelf, cache, tuple(refused))


def core_settings(
    config: RoomConfig,
    intents: tuple[Intent, ...],
    policy: str,
    plugins: Sequence[InstalledPlugin],
) -> CoreSettings:
    """Return everything that decides besides the signals."""
    return CoreSettings(
        room=config.room.id,
        organisation=config.room.organisation,
        intents=intents,
        fallbacks=config.fallbacks,
        gate=config.gate_rules,
        policy=policy,
        meetings=MeetingRules(**msgspec.structs.asdict(config.meetings)),
        fusion=FusionRules(**msgspec.structs.asdict(config.fusion)),
        plugins=plugin_rules(config, plugins),
        share_titles=config.room.share_titles,
        hold_s=config.panel.hold_s,
        costs=config.machines.cost_per_h,
        place=Place(config.room.latitude, config.room.longitude, config.room.timezone),
    )


def plugin_rules(
    config: RoomConfig, plugins: Sequence[InstalledPlugin]
) -> Mapping[str, PluginRules]:
    """Return what each plugin may do to the room's own actuators, keyed by its source name."""
    rules = {}
    for plugin in plugins:
        rules[f"plugin:{plugin.id}"] = rules_of(plugin, [row.name for row in config.actuators])
    return rules


def rules_of(plugin: InstalledPlugin, actuators: Sequence[str]) -> PluginRules:
    """Return what one plugin may do in a room with these actuators."""
    manifest = plugin.manifest
    grants = []
    for actuator in actuators:
        row = manifest.actuator(actuator)
        if row is not None:
            grants.append(Grant(actuator, row.min, row.max, row.values))
    return PluginRules(
        plugin.id,
        manifest.events,
        tuple(grants),
        version=manifest.version,
        settings=plugin.settings,
    )


def build_core(settings: CoreSettings) -> Core:
    """Return the pure parts with these settings."""
    return Core(settings, Policy(settings.policy), Gate(settings.gate))
