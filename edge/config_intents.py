"""Intents as declared (intents.toml, and what a room overrides) into what they mean in a room.

Each intent is a stack of layers: what it extends, in that order, then its own table, then the
room's override. The layer above counts; within one, an actuator counts before its class.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import msgspec

from edge.config_schema import (
    ActuatorSection,
    IntentOverride,
    IntentSection,
    IntentsFile,
    RoomConfig,
)
from edge.contracts.base import Value
from edge.decide.intents import DEFAULT, Intent, Slo
from edge.process.toml import ConfigError, Document

CLASSES = ("light", "climate", "ventilation", "blind", "camera", "microphone", "display")
"""Classes that an intent may speak of in a room that has none of them."""

LEAD_LIMIT_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class _Layer:
    """One table that speaks of an intent: where it stands, what it says."""

    document: Document
    keys: tuple[str, ...]
    section: IntentOverride

    def wrong(self, key: str, allowed: str, *below: str) -> ConfigError:
        return self.document.wrong((*self.keys, key, *below), allowed)


def resolve(
    document: Document, room: RoomConfig | None, overrides: Document | None = None
) -> tuple[Intent, ...]:
    """Return the intents in the order of their declaration; ConfigError for the first mistake.

    overrides: the room's own file, named when the mistake stands there.
    """
    names = document.convert(IntentsFile).intent
    own = {
        name: [_Layer(document, ("intent", name), document.convert(IntentSection, "intent", name))]
        for name in names
    }
    if DEFAULT not in own:
        where = document.path
        raise ConfigError(f"{where}: [intent.{DEFAULT}] is missing: it serves untagged meetings")
    for layer in _overrides(room, overrides or document, tuple(own)):
        own[layer.keys[-1]].append(layer)
    for layers in own.values():
        for layer in layers:
            _check_names(layer, tuple(own))
    intents = {name: _fold(own, name, room) for name in own}
    for name, layers in own.items():
        _check_extends(layers, name, intents)
    return tuple(intents.values())


def _overrides(
    room: RoomConfig | None, document: Document, names: tuple[str, ...]
) -> Iterator[_Layer]:
    for name, table in (room.intents.override if room is not None else {}).items():
        keys = ("intents", "override", name)
        if name not in names:
            raise document.wrong(keys, f"only for declared intents: {', '.join(names)}")
        try:
            section = msgspec.convert(table, IntentOverride)
        except msgspec.ValidationError:
            section = document.convert(IntentOverride, *keys)
        yield _Layer(document, keys, section)


def _check_names(layer: _Layer, names: tuple[str, ...]) -> None:
    for key in ("extends", "exclusive"):
        for name in _said(layer, key) or ():
            if name not in names or name == layer.keys[-1]:
                others = ", ".join(n for n in names if n != layer.keys[-1])
                raise layer.wrong(key, f"other declared intents: {others}")


def _check_extends(layers: list[_Layer], name: str, intents: Mapping[str, Intent]) -> None:
    for one, other in combinations(_last(layers, "extends", ()), 2):
        if other in intents[one].exclusive or one in intents[other].exclusive:
            layer = next(x for x in reversed(layers) if _said(x, "extends") is not None)
            raise layer.wrong("extends", f"not both {one} and {other}: they exclude each other")
    if name in intents[name].exclusive:
        raise layers[0].wrong("exclusive", "other intents")


def _stack(
    own: Mapping[str, list[_Layer]], name: str, above: tuple[str, ...] = ()
) -> Iterator[_Layer]:
    """Yield the layers of an intent, lowest first."""
    for base in _last(own[name], "extends", ()):
        if base in (*above, name):
            circle = " -> ".join((*above, name, base))
            raise own[name][0].wrong("extends", f"no circle: {circle}")
        yield from _stack(own, base, (*above, name))
    yield from own[name]


def _fold(own: Mapping[str, list[_Layer]], name: str, room: RoomConfig | None) -> Intent:
    layers = list(_stack(own, name))
    mine = partial(_last, own[name])
    lead_s, vm = _last(layers, "lead_s", 0.0), _last(layers, "vm", "")
    targets: dict[str, Value] = {}
    leads: dict[str, float] = {}
    slo: dict[str, float] = {}
    for layer in layers:
        targets |= _spread(layer, "settings", layer.section.settings, room)
        if layer.section.lead_s is not msgspec.UNSET:
            leads.clear()
        leads |= _spread(layer, "leads", layer.section.leads, room)
        slo |= {k: v for k, v in msgspec.structs.asdict(layer.section.slo).items() if _set(v)}
        if room is not None:
            _check_layer(layer, room)
    intent = Intent(
        name=name,
        title=mine("title", name),
        tags=tuple(tag.lower() for tag in mine("tags", ())),
        targets=targets,
        vm=vm,
        lead_s=lead_s,
        description=mine("description", ""),
        leads={a: lead for a, lead in leads.items() if a in targets and lead != lead_s},
        vm_lead_s=_last(layers, "vm_lead_s", 0.0),
        slo=Slo(**slo),
        exclusive=mine("exclusive", ()),
    )
    _check_slo(layers, intent)
    return intent


def _spread(
    layer: _Layer, key: str, table: Mapping[str, Any], room: RoomConfig | None
) -> dict[str, Any]:
    """Return a table of classes and actuators as one of actuators; an actuator counts first."""
    if room is None:
        return dict(table)
    movable = {row.name: row for row in room.actuators if row.driver != "vm"}
    found: dict[str, Any] = {}
    for name, value in sorted(table.items(), key=lambda item: not item[0].endswith(".*")):
        rows = _meant(name, movable)
        if not rows and name[:-2] not in CLASSES:
            known = ", ".join((*movable, *(f"{c}.*" for c in CLASSES)))
            raise layer.wrong(key, f"only for actuators of the room: {known}", name)
        if key == "leads" and not 0 <= value <= LEAD_LIMIT_S:
            raise layer.wrong(key, f"seconds from 0 to {LEAD_LIMIT_S:g}", name)
        for row in rows:
            if key == "settings" and not row.takes(value):
                meant = "" if row.name == name else f" for {row.name}"
                raise layer.wrong(key, row.allowed + meant, name)
            found[row.name] = value
    return {name: found[name] for name in movable if name in found}


def _meant(name: str, movable: Mapping[str, ActuatorSection]) -> list[ActuatorSection]:
    if name.endswith(".*"):
        return [row for row in movable.values() if row.name.startswith(name[:-1])]
    return [movable[name]] if name in movable else []


def _check_layer(layer: _Layer, room: RoomConfig) -> None:
    templates = [t for a in room.actuators if a.driver == "vm" for t in a.values]
    vm = _said(layer, "vm")
    if vm and vm not in templates:
        known = ", ".join(templates) or 'none, as no actuator has driver = "vm"'
        raise layer.wrong("vm", f"a template of the room: {known}")


def _check_slo(layers: list[_Layer], intent: Intent) -> None:
    """A promise that cannot be kept, whatever happens, is a mistake."""
    spoken = {name.split(".", 1)[0] for layer in layers for name in layer.section.settings}
    needs = {
        "machine_ready_s": (bool(intent.vm), "nothing, as the intent names no vm"),
        "temperature_within": ("climate" in spoken, "nothing, as it sets no climate.*"),
        "light_within": ("light" in spoken, "nothing, as it sets no light.*"),
    }
    ready = min((intent.lead(a) for a in intent.targets), default=intent.lead_s)
    needs["ready_s"] = (
        (intent.slo.ready_s or 0.0) <= ready,
        f"at most {ready:g}, as the room is prepared that long before",
    )
    for key, (fits, allowed) in needs.items():
        if getattr(intent.slo, key) is not None and not fits:
            layer = next(x for x in reversed(layers) if _set(getattr(x.section.slo, key)))
            raise layer.wrong("slo", allowed, key)


def _last(layers: list[_Layer], key: str, default: Any) -> Any:
    """Return what the uppermost layer that says anything of `key` says."""
    said = (_said(layer, key) for layer in reversed(layers))
    return next((value for value in said if value is not None), default)


def _said(layer: _Layer, key: str) -> Any:
    value = getattr(layer.section, key)
    return value if _set(value) else None


def _set(value: object) -> bool:
    return value is not msgspec.UNSET
