"""`plugin.toml`: what a plugin is, wants and may do. Whatever it does not name is denied."""

import re
import tomllib
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.contracts.base import StrictMessage, Value
from edge.contracts.plugin import SCHEMA, EventKind
from edge.plugins.errors import PluginError

MANIFEST = "plugin.toml"
MANIFEST_LIMIT = 64 * 1024
FRESH_MEMORY_MB = 16
"""A text as large as its memory holds the thread of the plugins for 5 ms a megabyte."""

Name = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_-]{0,31}\Z")]
_NUMBER = r"(0|[1-9]\d{0,8})"
Version = Annotated[str, Meta(pattern=rf"\A{_NUMBER}\.{_NUMBER}\.{_NUMBER}\Z")]
FileName = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9_.-]{0,63}\.wasm\Z")]
Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
ActuatorName = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_.-]{0,63}\*?\Z")]
Title = Annotated[str, Meta(max_length=200)]
SettingType = Literal["number", "text", "flag"]


class Abi(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """Versions of PluginInput and PluginOutput the plugin understands, both ends included."""

    min: Annotated[int, Meta(ge=1)]
    max: Annotated[int, Meta(ge=1)]


class Limits(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """What one call may use: wall time, linear memory, answer, lines of log, calls to the host.

    instance: "fresh" gives each call memory of its own; "reused" keeps what is slow to start
    (Python, JavaScript) alive between calls, until a failure, many calls or much memory.
    """

    instance: Literal["fresh", "reused"] = "fresh"
    deadline_ms: Annotated[int, Meta(ge=1, le=1000)] = 20
    memory_mb: Annotated[int, Meta(ge=1, le=256)] = 4
    output_kb: Annotated[int, Meta(ge=1, le=1024)] = 128
    log_lines: Annotated[int, Meta(ge=0, le=100)] = 16
    host_calls: Annotated[int, Meta(ge=0, le=10_000)] = 200


class Actuator(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """What the plugin may ask of one actuator, or of all with a beginning (`light.*`)."""

    name: ActuatorName
    min: float = 0.0
    max: float = 0.0
    step: float = 0.0
    values: tuple[str, ...] = ()
    rate_per_min: Annotated[int, Meta(ge=1, le=600)] = 12


class Setting(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """One value an installer may choose; enough to draw its form."""

    type: SettingType
    title: Title
    default: Value
    min: float | None = None
    max: float | None = None


class Manifest(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """The whole of `plugin.toml`. `state`: version of the text the plugin keeps between calls."""

    id: Name
    version: Version
    title: Title
    module: FileName
    sha256: Digest
    abi: Abi
    state: Annotated[int, Meta(ge=1)]
    events: tuple[EventKind, ...]
    actuators: tuple[Actuator, ...]
    capabilities: tuple[Literal["log"], ...] = ()
    limits: Limits = Limits()
    settings: dict[Name, Setting] = msgspec.field(default_factory=dict)

    def actuator(self, name: str) -> Actuator | None:
        """Return the row that covers the actuator, or None when the plugin may not ask for it."""
        for row in self.actuators:
            if row.name == name or (row.name.endswith("*") and name.startswith(row.name[:-1])):
                return row
        return None


def parse(data: bytes, where: str) -> Manifest:
    """Return the manifest in `data`; PluginError names file, key and what is allowed."""
    if len(data) > MANIFEST_LIMIT:
        raise PluginError(f"{where} has {len(data)} bytes; at most {MANIFEST_LIMIT} are read")
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise PluginError(f"{where} is not TOML: {error}") from error
    try:
        manifest = msgspec.convert(table, Manifest)
    except msgspec.ValidationError as error:
        raise PluginError(f"{where}: {error}{_value_at(table, str(error))}") from error
    _check(manifest, where)
    return manifest


def _value_at(table: object, error: str) -> str:
    """Return ' (it is ...)' with the value the error's path points at, when there is one."""
    path = re.search(r"`\$(\S*)`$", error)
    found = table
    for key, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path[1]) if path else ():
        if index and isinstance(found, list) and int(index) < len(found):
            found = found[int(index)]
        elif isinstance(found, Mapping) and key in found:
            found = found[key]
        else:
            return ""
    return f" (it is {found!r})" if path and isinstance(found, Value) else ""


def _check(manifest: Manifest, where: str) -> None:
    if not manifest.abi.min <= SCHEMA <= manifest.abi.max:
        raise PluginError(
            f"{where}: abi is {manifest.abi.min} to {manifest.abi.max}; this room speaks {SCHEMA}: "
            "install a version of the plugin made for it"
        )
    limits = manifest.limits
    if limits.instance == "fresh" and limits.memory_mb > FRESH_MEMORY_MB:
        raise PluginError(
            f"{where}: limits.memory_mb is {limits.memory_mb}; a fresh instance gets at most "
            f'{FRESH_MEMORY_MB}: ask for less, or for instance = "reused"'
        )
    for row in manifest.actuators:
        if bool(row.values) == (row.max > row.min):
            raise PluginError(
                f"{where}: actuator {row.name} needs either values or max above min "
                f"(values = {list(row.values)}, min = {row.min:g}, max = {row.max:g})"
            )
    for name, setting in manifest.settings.items():
        _check_setting(setting, setting.default, f"{where}: settings.{name}.default")


def settings_for(manifest: Manifest, chosen: Mapping[str, Value], where: str) -> dict[str, Value]:
    """Return the defaults overlaid with `chosen`; PluginError names the key and what is allowed."""
    unknown = sorted(set(chosen) - set(manifest.settings))
    if unknown:
        known = ", ".join(sorted(manifest.settings)) or "none"
        raise PluginError(f"{where}: {manifest.id} has no setting {unknown[0]!r}; it has {known}")
    for name, value in chosen.items():
        _check_setting(manifest.settings[name], value, f"{where}: {name}")
    return {name: chosen.get(name, row.default) for name, row in manifest.settings.items()}


def _check_setting(setting: Setting, value: Value, where: str) -> None:
    match setting.type, value:
        case "flag", bool():
            return
        case "text", str() if len(value) <= 256:
            return
        case "number", int() | float() if not isinstance(value, bool):
            low = float("-inf") if setting.min is None else setting.min
            high = float("inf") if setting.max is None else setting.max
            if low <= value <= high and abs(value) <= 1e12:
                return
            raise PluginError(f"{where} is {value!r}; allowed is {low:g} to {high:g}")
    raise PluginError(f"{where} is {value!r}; allowed is a {setting.type}")
