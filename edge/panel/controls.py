"""What people may set by hand, what holds now and for how long. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edge.contracts.base import Now, Value
from edge.contracts.commands import Command
from edge.contracts.gating import GateRule
from edge.decide.core import CoreSettings, CoreState
from edge.panel.voice import NONE, Voice

Kind = Literal["level", "setpoint", "choice"]
WHO = "panel"
BY_HAND = f"person:{WHO}"
DEVICE, PAUSE = "device:", "pause:"


WORDS = ("on", "off", "open", "closed")
"""Values that every language has a word for; others are names that the installer gave."""


@dataclass(frozen=True, slots=True)
class Control:
    """One actuator. value: what it was last told (None: nothing yet); `unit` e.g. "%".

    level: slider; setpoint: stepper; choice: one of `values`. held: by hand; mark: the icon of who
    holds it; differs: the device reports another value, in words.
    """

    actuator: str
    kind: Kind
    icon: str
    label: str
    value: Value | None
    shown: str
    low: float
    high: float
    step: float
    values: tuple[tuple[str, str], ...]
    held: bool
    mark: str
    says: str
    differs: str


def controls(
    state: CoreState, settings: CoreSettings, voice: Voice, now: Now
) -> tuple[Control, ...]:
    """Return a control for every actuator the schedule knows and the gate lets move."""
    made = []
    for actuator in settings.fallbacks:
        rule = _rule(settings.gate, actuator)
        if rule is not None:
            made.append(_control(actuator, rule, state, voice, now))
    return tuple(made)


def label(actuator: str, voice: Voice) -> str:
    """Return an actuator's name for people: its class in words, then what tells it apart."""
    sort, _, rest = actuator.partition(".")
    word = voice.words.get(f"actuator_{sort}", sort.replace("_", " ").capitalize())
    return word if rest in ("", "main", "setpoint") else f"{word}: {rest.replace('_', ' ')}"


def by_hand(given: Command) -> bool:
    """Return whether a hand set this, at the panel or at the device; a pause is none."""
    return given.priority == "manual" and not given.source.startswith(PAUSE)


def show(actuator: str, value: Value, voice: Voice) -> str:
    """Return a value in the actuator's unit."""
    if isinstance(value, bool):
        return voice("on") if value else voice("off")
    if isinstance(value, str):
        return voice(value) if value in WORDS else value.replace("-", " ")
    if actuator.startswith("climate"):
        return f"{voice.number(value, 1)} °C"
    return f"{voice.number(value)} %"


def _rule(rules: Iterable[GateRule], actuator: str) -> GateRule | None:
    for rule in rules:
        wild = rule.actuator.endswith("*") and actuator.startswith(rule.actuator[:-1])
        if rule.actuator == actuator or wild:
            return rule
    return None


def _control(actuator: str, rule: GateRule, state: CoreState, voice: Voice, now: Now) -> Control:
    given = state.given.get(actuator)
    climate = actuator.startswith("climate")
    kind: Kind = "choice" if rule.values else "setpoint" if climate else "level"
    value = None if given is None else given.value
    reported = state.room.reported.get(actuator)
    other = reported is not None and value is not None and not _same(reported, value)
    return Control(
        actuator=actuator,
        kind=kind,
        icon="climate" if climate else "light" if actuator.startswith("light") else "controls",
        label=label(actuator, voice),
        value=value,
        shown=NONE if value is None else show(actuator, value, voice),
        low=rule.low,
        high=rule.high,
        step=0.5 if climate else 1.0,
        values=tuple((name, show(actuator, name, voice)) for name in rule.values),
        held=given is not None and by_hand(given),
        mark=_mark(given),
        says=_says(given, voice, now),
        differs=""
        if not other or reported is None
        else voice("device_says", value=show(actuator, reported, voice)),
    )


def _mark(given: Command | None) -> str:
    if given is None or given.priority != "manual":
        return "auto"
    return "hand" if by_hand(given) else "pause"


def _says(given: Command | None, voice: Voice, now: Now) -> str:
    if given is None:
        return voice("not_set_yet")
    until = voice.moment(given.until, now.wall)
    if given.source.startswith(PAUSE):
        return voice("paused_until", time=until)
    if given.source.startswith(DEVICE):
        return voice("device_until", time=until)
    if given.priority == "manual":
        return voice("holds_until", time=until)
    if given.priority == "safety":
        return voice("held_by_safety")
    return voice("automatic")


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return abs(float(one) - float(other)) < 0.5
