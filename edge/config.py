"""room.toml, intents.toml, the policy: what an installer decides, checked before the start.

Read only by what starts or examines a room, and handed on as values. Paths in a RoomConfig are
absolute.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from edge.actuators.dialects import DialectError, Wiring, channel
from edge.config_drivers import device_mistakes
from edge.config_intents import resolve
from edge.config_schema import ActuatorSection, RoomConfig
from edge.contracts.base import ContractError, Value
from edge.decide.intents import Intent
from edge.process.toml import ConfigError, absent, read, read_secret, read_text

__all__ = ["ConfigError", "RoomConfig", "load_intents", "load_policy", "load_room", "read_secret"]

Keys = tuple[str | int, ...]

_FILES: tuple[tuple[str, str], ...] = (
    ("policy", "file"), ("intents", "file"), ("models", "people"), ("models", "occupancy"),
    ("broker", "ca"), ("broker", "cert"), ("broker", "key"), ("broker", "password_file"),
    ("site", "ca"), ("site", "cert"), ("site", "key"), ("site", "password_file"),
    ("calendar", "password_file"),
)  # fmt: skip
"""Settings that name a file which must exist once they are set."""

_PATHS: tuple[tuple[str, str], ...] = (
    *_FILES, ("plugins", "folder"), ("plugins", "keys"), ("plugins", "store"),
    ("journal", "path"), ("panel", "theme"),
)  # fmt: skip
"""Settings that name a file or a folder, there or not."""

_DEVICES = (("camera", "device"), ("microphone", "device"))
"""Settings that may name a file."""

_SECRETS = tuple(section for section, name in _FILES if name == "password_file")


def load_room(path: Path) -> RoomConfig:
    """Return the room's settings; raise ConfigError naming file, key, value and what is allowed."""
    document = read(path)
    config = document.convert(RoomConfig)
    for keys, allowed in _mistakes(config):
        raise document.wrong(keys, allowed)
    config = _absolute(config, path.resolve().parent)
    for keys, allowed in _missing(config):
        raise document.wrong(keys, allowed)
    for section in _SECRETS:
        read_secret(getattr(config, section).password_file)
    if config.intents.override:
        resolve(read(Path(config.intents.file)), config, document)
    return config


def load_intents(path: Path, room: RoomConfig | None = None) -> tuple[Intent, ...]:
    """Return the intents in the file's order; with `room`, its actuators must take them.

    What the room overrides was checked by `load_room`.
    """
    return resolve(read(path), room)


def load_policy(path: Path) -> str:
    """Return the policy's text; raise ConfigError when it cannot be read."""
    return read_text(path)


def _missing(config: RoomConfig) -> Iterator[tuple[Keys, str]]:
    """Yield (keys, what is allowed) for each file and folder that is needed and is not there."""
    for section, name in _FILES:
        path = getattr(getattr(config, section), name)
        if path and (allowed := absent(Path(path))):
            yield (section, name), allowed
    folders = [("plugins", "folder"), ("plugins", "keys")] if config.plugins.enabled else []
    if config.panel.enabled:
        folders.append(("panel", "theme"))
    for section, name in folders:
        if allowed := absent(Path(getattr(getattr(config, section), name)), "folder"):
            yield (section, name), allowed


def _mistakes(config: RoomConfig) -> Iterator[tuple[Keys, str]]:
    """Yield (keys, what is allowed) for what the types alone let pass."""
    yield from _no_paths(config)
    try:
        ZoneInfo(config.room.timezone)
    except (ValueError, OSError, KeyError):
        yield ("room", "timezone"), "a name of the time zone database, such as Europe/Berlin"
    if (config.room.latitude is None) != (config.room.longitude is None):
        missing = "latitude" if config.room.latitude is None else "longitude"
        yield ("room", missing), "latitude and longitude together, or neither"
    if config.fusion.leave >= config.fusion.enter:
        yield ("fusion", "leave"), f"less than enter ({config.fusion.enter:g})"
    if config.calendar.near_poll_s > config.calendar.poll_s:
        yield ("calendar", "near_poll_s"), f"at most poll_s ({config.calendar.poll_s:g})"
    for section in ("broker", "site"):
        part = getattr(config, section)
        if bool(part.cert) != bool(part.key):
            yield (section, "cert" if part.cert else "key"), "cert and key together, or neither"
    yield from _doubles(config)
    for number, actuator in enumerate(config.actuators):
        for key, allowed in _actuator_mistakes(actuator):
            yield ("actuators", number, key), allowed
    templates = [value for a in config.actuators if a.driver == "vm" for value in a.values]
    for template in config.machines.cost_per_h:
        if template not in templates:
            known = ", ".join(templates) or "none"
            yield ("machines", "cost_per_h", template), f"only for the room's templates: {known}"
    yield from device_mistakes(config)
    for plugin in config.plugins.settings:
        if plugin not in config.plugins.enabled:
            enabled = ", ".join(config.plugins.enabled) or "none"
            yield ("plugins", "settings", plugin), f"only for enabled plugins: {enabled}"


def _no_paths(config: RoomConfig) -> Iterator[tuple[Keys, str]]:
    for section, name in (*_PATHS, *_DEVICES):
        if "\0" in getattr(getattr(config, section), name):
            yield (section, name), "a path without the character U+0000"
    if not Path(config.journal.path).name:
        yield ("journal", "path"), "the name of a file"


def _doubles(config: RoomConfig) -> Iterator[tuple[Keys, str]]:
    for number in _repeated(actuator.name for actuator in config.actuators):
        yield ("actuators", number, "name"), "a name that no other actuator has"
    for _ in _repeated(config.nodes):
        yield ("nodes",), "each name once"
    for _ in _repeated(config.plugins.enabled):
        yield ("plugins", "enabled"), "each name once"


def _repeated(names: Iterable[str]) -> Iterator[int]:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            yield number
        seen.add(name)


def _actuator_mistakes(actuator: ActuatorSection) -> Iterator[tuple[str, str]]:
    if actuator.values and actuator.max > actuator.min:
        yield "values", "either values or min and max"
    if not actuator.values and not actuator.max > actuator.min:
        yield "max", f"above min ({actuator.min:g}), or a list of values instead"
    if actuator.driver == "vm":
        yield from _vm_mistakes(actuator)
        return
    if "/" in actuator.name:
        yield "name", 'letters, digits, ".", "-" and "_"; "/" is for the driver vm'
    if actuator.driver == "mqtt" and not actuator.device:
        yield "device", "the device's name on the room's broker"
    if actuator.driver == "mqtt" and actuator.field is None:
        yield "field", "what of the device moves, such as brightness"
    if actuator.device and actuator.wiring is not None:
        yield from _wiring_mistakes(actuator, actuator.wiring)
    if actuator.fallback is None or not actuator.takes(actuator.fallback):
        yield "fallback", f"{actuator.allowed}: the value at rest"


def _wiring_mistakes(actuator: ActuatorSection, wiring: Wiring) -> Iterator[tuple[str, str]]:
    try:
        channel(wiring)
    except DialectError as error:
        key, _, below = error.key.partition(".")
        yield key, f"{error.allowed}{f' (in {below})' if below else ''}"
    except ContractError as error:
        yield "entity", str(error)
    if wiring.field == "state" and set(actuator.values) != {"on", "off"}:
        yield "values", '["on", "off"] for the field state'
    if wiring.field == "option" and not actuator.values:
        yield "values", "the names that the device knows, for the field option"
    if wiring.field not in ("state", "option") and actuator.values:
        yield "values", f"nothing for the field {wiring.field}, but min and max"


def _vm_mistakes(actuator: ActuatorSection) -> Iterator[tuple[str, str]]:
    if actuator.name != "vm/*":
        yield "name", '"vm/*" for the driver vm: one actuator covers every machine'
    if not actuator.values:
        yield "values", "the names of the templates that meetings may ask for"
    if actuator.fallback is not None:
        yield "fallback", "nothing for the driver vm: at rest there is no machine"


def _absolute(config: RoomConfig, base: Path) -> RoomConfig:
    """Return the settings with every path made absolute from the folder of the file."""
    for section, name in _PATHS:
        config = _with(config, section, name, _from(base, getattr(getattr(config, section), name)))
    if not config.plugins.store:
        beside = Path(config.journal.path).with_suffix(".plugins")
        config = _with(config, "plugins", "store", str(beside))
    for section, name in _DEVICES:
        device = getattr(getattr(config, section), name)
        if device and _is_file(base / device):
            config = _with(config, section, name, _from(base, device))
    return config


def _is_file(path: Path) -> bool:
    """Whether a device is a file: an address may be longer than the name of any file."""
    try:
        return path.is_file()
    except OSError:
        return False


def _from(base: Path, path: str) -> str:
    # Unlike Path.resolve it lets pass what the check that names the key is to refuse.
    return os.path.realpath(base / path) if path else ""


def _with(config: RoomConfig, section: str, name: str, value: Value) -> RoomConfig:
    part = msgspec.structs.replace(getattr(config, section), **{name: value})
    return msgspec.structs.replace(config, **{section: part})
