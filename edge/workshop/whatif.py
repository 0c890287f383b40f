"""A recording lived through again with another build of one plugin: two rooms side by side.

One room hears the recording as it is. The other hears the same, but for this plugin's answers, in
whose place the build on the bench is asked: with the events that room would have told it, and with
what it kept itself. Everything else (people, calendar, other plugins) is as recorded.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from edge.assembly import build_core, rules_of
from edge.contracts.base import Now, Value
from edge.contracts.commands import Command, PluginCommand
from edge.contracts.decision import Decision
from edge.contracts.gating import rule_of
from edge.contracts.plugin import PluginEvent
from edge.contracts.signals import (
    Booted,
    DeviceReported,
    PluginAnswered,
    PluginFailed,
    Signal,
    Woke,
    decode_signal,
)
from edge.decide.core import CoreState, Outcome
from edge.decide.devices import near
from edge.decide.step import Core
from edge.plugins.errors import GuestError
from edge.replay import BootRecord, Kept
from edge.workshop.trial import Trial

LATE_S = 0.5
"""A room is woken within this of what it asked for; beyond it nobody woke the other room."""
WAKES = 10_000
"""Wake-ups between two rows beyond which the pure parts are taken to be stuck."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one batch was answered: in the recording, and by the build on the bench.

    old, new: None when there was none; failed: why the new one is none.
    """

    now: Now
    events: tuple[PluginEvent, ...]
    old: tuple[PluginCommand, ...] | None
    new: tuple[PluginCommand, ...] | None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """One instant at which both rooms decided, or one of them. None: it decided nothing."""

    now: Now
    id: str
    old: Decision | None
    new: Decision | None
    signal: Signal


@dataclass(slots=True)
class Room:
    """One of the two rooms. told: events for the plugin that are not answered yet, by id."""

    core: Core | None = None
    state: CoreState = field(default_factory=CoreState)
    told: dict[str, PluginEvent] = field(default_factory=dict)

    def step(self, signal: Signal, ident: str, now: Now, plugin: str) -> Outcome:
        """Take a signal through the pure parts and note what the plugin is to hear."""
        assert self.core is not None  # noqa: S101 - WhatIf boots it first
        self.state, outcome = self.core.step(self.state, signal, ident, now)
        self.told |= {call.event.id: call.event for call in outcome.calls if call.plugin == plugin}
        return outcome


class WhatIf:
    """Takes a journal's rows; yields what was answered and decided, then and now."""

    def __init__(self, trial: Trial, chosen: Mapping[str, Value]) -> None:
        """`chosen` are settings that replace those of the recording."""
        self._trial, self._chosen = trial, chosen
        self.source = f"plugin:{trial.plugin.id}"
        self.was, self.would = Room(), Room()
        self._then: Now | None = None
        self._extra = 0
        self._devices: dict[str, str] = {}
        self._fresh: list[tuple[str, Outcome]] = []
        self.boots = 0
        self.recorded_version = ""

    def run(self, rows: Iterable[Kept]) -> Iterator[Answers | Decided]:
        """Yield everything of interest in the recording, in order."""
        for row in rows:
            if row.body is None or row.kind == "decision":
                continue
            if row.kind == "boot":
                self._boot(msgspec.json.decode(row.body, type=BootRecord))
            elif row.kind == "signal" and self.was.core is not None:
                signal = decode_signal(row.body)
                yield from self._wake(row.now, isinstance(signal, Booted))
                yield from self._signal(signal, row.id, row.now)
                self._then = row.now

    def _boot(self, record: BootRecord) -> None:
        settings = record.settings
        known = settings.plugins.get(self.source)
        self.recorded_version = known.version if known else ""
        self._trial.configure({**(known.settings if known else {}), **self._chosen})
        plugin = self._trial.plugin
        rules = rules_of(plugin, [rule.actuator for rule in settings.gate])
        if known is not None:
            rules = replace(rules, tick_s=known.tick_s)
        self.was.core = build_core(settings)
        self.would.core = build_core(
            replace(settings, plugins={**settings.plugins, self.source: rules})
        )
        self.was.state = record.state
        if self.boots == 0:
            self.would.state = record.state
            if record.state.plugin_state_version.get(self.source, 1) == plugin.manifest.state:
                self._trial.state = record.state.plugin_state.get(self.source, "")
        self.was.told, self.would.told = {}, {}
        self.boots += 1

    def _signal(self, signal: Signal, ident: str, now: Now) -> Iterator[Answers | Decided]:
        mine = isinstance(signal, PluginAnswered | PluginFailed) and signal.source == self.source
        there = self._as_there(signal, self.was.state)
        old = self.was.step(signal, ident, now, self.source).decision
        if isinstance(signal, PluginAnswered | PluginFailed) and mine:
            answer = self._answer(signal, now)
            if answer is not None:
                yield answer[0]
                there = answer[1]
            else:
                there = None
        new = None if there is None else self._live(there, ident, now)
        if old is not None or new is not None:
            yield Decided(now, ident, old, new, signal)
        yield from self._follow_up(now)

    def _answer(
        self, signal: PluginAnswered | PluginFailed, now: Now
    ) -> tuple[Answers, Signal] | None:
        """Ask the build on the bench what the recording's answer was to."""
        for ident in signal.events:
            self.was.told.pop(ident, None)
        batch = tuple(e for i in signal.events if (e := self.would.told.pop(i, None)) is not None)
        if not batch:
            return None
        old = signal.commands if isinstance(signal, PluginAnswered) else None
        return self._ask(batch, old, now)

    def _ask(
        self, batch: tuple[PluginEvent, ...], old: tuple[PluginCommand, ...] | None, now: Now
    ) -> tuple[Answers, Signal]:
        ids = tuple(event.id for event in batch)
        try:
            output = self._trial.call(batch, now.wall, _sequence(ids[-1]))
        except GuestError as error:
            failed = PluginFailed(self.source, ids, str(error))
            return Answers(now, batch, old, None, str(error)), failed
        version = self._trial.plugin.manifest.state
        answered = PluginAnswered(self.source, ids, output.commands, output.state, version)
        return Answers(now, batch, old, output.commands), answered

    def _live(self, signal: Signal, ident: str, now: Now) -> Decision | None:
        outcome = self.would.step(signal, ident, now, self.source)
        self._fresh.append((ident, outcome))
        return outcome.decision

    def _follow_up(self, now: Now) -> Iterator[Answers | Decided]:
        """Devices follow what only the other room asked of them; what only it heard is answered."""
        undecided = self.would.state.undecided
        if undecided is not None and undecided.with_next:
            return  # In a crowd: an answer would decide before the recording does.
        while self._fresh:
            _, outcome = self._fresh.pop(0)
            for command in outcome.commands:
                report = self._echo(command)
                if report is not None:
                    yield from self._extra_step(report, now)
        batch = tuple(e for i, e in self.would.told.items() if i not in self.was.told)
        if batch:
            for event in batch:
                del self.would.told[event.id]
            answers, signal = self._ask(batch, None, now)
            yield answers
            yield from self._extra_step(signal, now)

    def _extra_step(self, signal: Signal, now: Now) -> Iterator[Answers | Decided]:
        self._extra += 1
        ident = f"now-{self._extra}"
        decision = self._live(signal, ident, now)
        if decision is not None:
            yield Decided(now, ident, None, decision, signal)

    def _echo(self, command: Command) -> Signal | None:
        """Return what the device of a command says, where the recording's device says nothing."""
        was = self.was.state.given.get(command.actuator)
        source = self._devices.get(command.actuator)
        if source is None or (was is not None and was.value == command.value):
            return None
        return DeviceReported(source, command.actuator, command.value)

    def _as_there(self, signal: Signal, before: CoreState) -> Signal | None:
        """Return a signal as the other room hears it: its devices follow its own commands."""
        if not isinstance(signal, DeviceReported):
            return signal
        name = signal.actuator
        self._devices[name] = signal.source
        was, would = before.given.get(name), self.would.state.given.get(name)
        if was is None or would is None or was.value == would.value:
            return signal
        assert self.was.core is not None  # noqa: S101 - booted before any signal
        rule = rule_of(self.was.core.settings.gate, name)
        stance = before.stances.get(name)
        on_its_way = stance is None or stance.agreed is None
        if on_its_way or (rule is not None and near(signal.value, was.value, rule)):
            return msgspec.structs.replace(signal, value=would.value)
        return signal

    def _wake(self, until: Now, restart: bool) -> Iterator[Answers | Decided]:
        """Wake the other room when it asks for it and the recording wakes nobody."""
        then = self._then
        if then is None or restart or self.would.core is None or self.was.core is None:
            return
        woken = self.was.core.next_due(self.was.state, then)
        for _ in range(WAKES):
            due = max(self.would.core.next_due(self.would.state, then), then.mono + 0.005)
            if due >= min(woken, until.mono - LATE_S):
                return
            at = Now(then.wall + due - then.mono, due, then.trusted)
            yield from self._extra_step(Woke(), at)
            yield from self._follow_up(at)
            then = at


def _sequence(ident: str) -> int:
    """Return the number in a row's id: the seed the plugin was given."""
    number = ident.rsplit("-", 1)[-1]
    return int(number) if number.isdigit() else 0
