"""A room made of the real pure parts, the plugin in its real sandbox, and a made-up day."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from edge.assembly import build_core, rules_of
from edge.contracts.base import Now
from edge.contracts.commands import Command, PluginCommand
from edge.contracts.decision import Decision
from edge.contracts.plugin import PluginEvent
from edge.contracts.signals import (
    Booted,
    DeviceReported,
    PluginAnswered,
    PluginFailed,
    Signal,
    Woke,
)
from edge.decide.core import CoreSettings, CoreState
from edge.decide.step import Core
from edge.fusion.state import FusionRules
from edge.plugins.errors import GuestError
from edge.plugins.install import InstalledPlugin
from edge.plugins.manifest import Manifest
from edge.workshop.day import ACTUATORS, BEGIN_H, END_H, INTENTS, PLACE, STEP_S, Day, wall
from edge.workshop.kit import policy
from edge.workshop.trial import Trial

FAILURES, WITHIN_S = 3, 60.0
"""As in a room: so many failures within so long and a plugin is not called any more."""

Fate = Literal["given", "stands", "refused", "outranked", "waits"]


@dataclass(frozen=True, slots=True)
class Proposed:
    """One wish of the plugin and what became of it; `why` says who or which rule."""

    command: PluginCommand
    fate: Fate
    why: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """One step of the room. event: what the plugin was told, None when it heard nothing.

    failed: why it gave no answer; commands: what went to drivers.
    """

    now: Now
    signal: Signal
    event: PluginEvent | None = None
    proposed: tuple[Proposed, ...] = ()
    failed: str = ""
    commands: tuple[Command, ...] = ()


def permit(plugin: Manifest) -> str:
    """Return the policy a room needs before it lets this plugin act."""
    classes = sorted({row.name.split(".")[0].rstrip("*") for row in plugin.actuators})
    named = ", ".join(f'"{name}"' for name in classes if name)
    return (
        f'@id("{plugin.id}-plugin-sets-{"-".join(name for name in classes if name)}")\n'
        f'permit (principal == Plugin::"{plugin.id}", action == Action::"set", resource)\n'
        f"when {{ [{named}].contains(context.class) }};\n"
    )


def settings(plugin: InstalledPlugin) -> CoreSettings:
    """Return a room that can move everything, with the shipped policy and a permit for this one."""
    rules = rules_of(plugin, [rule.actuator for rule, _ in ACTUATORS])
    text = policy()
    if f'Plugin::"{plugin.id}"' not in text:
        text += "\n" + permit(plugin.manifest)
    return CoreSettings(
        room="stage", organisation="workshop", intents=INTENTS,
        fallbacks={rule.actuator: rest for rule, rest in ACTUATORS},
        gate=tuple(rule for rule, _ in ACTUATORS), policy=text, place=PLACE,
        fusion=FusionRules(people_stale_s=60.0, voice_stale_s=60.0, motion_stale_s=120.0),
        plugins={f"plugin:{plugin.id}": rules},
    )  # fmt: skip


@dataclass(slots=True)
class Stage:
    """A room at a local hour of its day; `advance` lets it live on."""

    trial: Trial
    hour: float = BEGIN_H
    day: Day = field(default_factory=Day)
    state: CoreState = field(default_factory=CoreState)
    quarantined: bool = False
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))
    _core: Core | None = None
    _sequence: int = 0
    _read_at: float = 0.0
    _waiting: deque[Signal] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._core = build_core(settings(self.trial.plugin))
        self._read_at = self.hour
        self._waiting.extend((Booted("loop", 1, ""), *self.day.begin()))

    def swap(self, trial: Trial) -> None:
        """Go on with another build; what the old one kept is handed on as a room would."""
        if trial.plugin.manifest.state == self.trial.plugin.manifest.state:
            trial.state = self.trial.state
        self.trial, self.quarantined = trial, False
        self.failures.clear()
        self._core = build_core(settings(trial.plugin))

    @property
    def over(self) -> bool:
        """Whether the day is."""
        return self.hour >= END_H

    @property
    def now(self) -> Now:
        """The instant it is in the room."""
        return Now(wall(self.hour), (self.hour - BEGIN_H) * 3600 + 1000.0, True)

    def advance(self, until: float) -> Iterator[Scene]:
        """Yield what happens until a local hour."""
        while True:
            while self._waiting:
                yield from self._take(self._waiting.popleft())
            at = min(self._read_at, self._due())
            if at > min(until, END_H):
                self.hour = max(self.hour, min(until, END_H))
                return
            self.hour = max(self.hour, at)
            if at == self._read_at:
                self._read_at += STEP_S / 3600
                self._waiting.extend(self.day.read(self.hour))
            else:
                self._waiting.append(Woke())

    def _due(self) -> float:
        assert self._core is not None  # noqa: S101 - made in __post_init__
        due = self._core.next_due(self.state, self.now)
        return self.hour + max(due - self.now.mono, 0.005) / 3600

    def _take(self, signal: Signal) -> Iterator[Scene]:
        _, commands, events = self._step(signal)
        yield Scene(self.now, signal, commands=commands)
        for event in events:
            yield self._ask(event)

    def _step(
        self, signal: Signal
    ) -> tuple[Decision | None, tuple[Command, ...], tuple[PluginEvent, ...]]:
        assert self._core is not None  # noqa: S101 - made in __post_init__
        self._sequence += 1
        ident = f"stage-1-{self._sequence}"
        self.state, outcome = self._core.step(self.state, signal, ident, self.now)
        for command in outcome.commands:
            self.day.values[command.actuator] = command.value
            self._waiting.append(DeviceReported("mqtt", command.actuator, command.value))
        events = tuple(call.event for call in outcome.calls)
        return outcome.decision, outcome.commands, () if self.quarantined else events

    def _ask(self, event: PluginEvent) -> Scene:
        source = f"plugin:{self.trial.plugin.id}"
        try:
            output = self.trial.call((event,), self.now.wall, self._sequence)
        except GuestError as error:
            return self._fail(event, str(error), source)
        version = self.trial.plugin.manifest.state
        answer = PluginAnswered(source, (event.id,), output.commands, output.state, version)
        decision, commands, _ = self._step(answer)
        proposed = tuple(self._fate(c, decision, commands, source) for c in output.commands)
        return Scene(self.now, answer, event, proposed, commands=commands)

    def _fail(self, event: PluginEvent, reason: str, source: str) -> Scene:
        now = self.now
        self.failures.append(now.mono)
        full = len(self.failures) == FAILURES
        self.quarantined = full and now.mono - self.failures[0] <= WITHIN_S
        failed = PluginFailed(source, (event.id,), reason, self.quarantined)
        _, commands, _ = self._step(failed)
        return Scene(now, failed, event, failed=reason, commands=commands)

    def _fate(
        self,
        wish: PluginCommand,
        decision: Decision | None,
        commands: tuple[Command, ...],
        source: str,
    ) -> Proposed:
        mine = (wish.actuator, source)
        for verdict in () if decision is None else decision.verdicts:
            if (verdict.actuator, verdict.source) == mine and not verdict.allowed:
                why = f"{verdict.stage} {verdict.rule}: {verdict.reason}".rstrip(": ")
                return Proposed(wish, "refused", why)
        for command in commands:
            if command.actuator == wish.actuator and command.source == source:
                return Proposed(wish, "given")
        stands = self.state.given.get(wish.actuator)
        if stands is None:
            return Proposed(wish, "waits", self.state.denied.get(wish.actuator, ""))
        if stands.source != source:
            return Proposed(wish, "outranked", f"{stands.source} holds {stands.value}")
        return Proposed(wish, "stands" if stands.value == wish.value else "waits")
