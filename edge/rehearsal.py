"""A meeting played through before it happens: the real pure core with a clock turned by hand.

Pure: nothing is journaled, nobody is called but through what is handed in. Devices follow at once,
people come and go as the scene says, the machine is ready when the scene says.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from math import inf
from typing import Literal

from edge.contracts.base import Now, Value, make_id
from edge.contracts.commands import Command, Priority, Proposal, Verdict
from edge.contracts.decision import Promise
from edge.contracts.gating import GateAnswer, GateMemory
from edge.contracts.signals import (
    Booted,
    CalendarRead,
    ClockChecked,
    DeviceReported,
    MachineChanged,
    Meeting,
    MotionChanged,
    PeopleCounted,
    Signal,
    SoundMeasured,
    Woke,
)
from edge.contracts.wire import MachineReport
from edge.decide.award import GateCheck
from edge.decide.core import CoreSettings, CoreState, Outcome
from edge.decide.events import Call
from edge.decide.policy import Context, Policy
from edge.decide.schedule import VM
from edge.decide.situation import HORIZON_S
from edge.decide.step import Core

Kind = Literal["room", "machine", "meeting", "calendar", "refused", "person"]
Sense = Literal["camera", "microphone", "motion"]
Ask = Callable[[Call, str, Now, int], Signal]
"""Asks one plugin, which keeps this state, as its thread would."""

NEVER_S = 1e9
SMALLEST_S = 0.005
WARM_UP_S = 120.0
PLUGINS_S = 3600.0
"""How long before a start plugins are taken to begin with anything."""
STEPS = 100_000
"""More steps than this and a plan is not worth waiting for."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happens. what: actuator, phase, calendar verb; policy, gate: which let it."""

    at: float
    kind: Kind
    what: str
    text: str
    value: Value = ""
    source: str = ""
    policy: str = ""
    gate: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What comes from outside, in wall seconds. people: between `come` and `leave`.

    senses: what tells of them when they come and go, and does not fail meanwhile.
    """

    begin: float
    end: float
    come: float
    leave: float
    people: int = 2
    machine_ready: float = 0.0
    senses: tuple[Sense, ...] = ("camera", "microphone", "motion")

    def look(self, at: float) -> tuple[Signal, ...]:
        """Return what the senses say at this instant."""
        here = self.come <= at < self.leave
        said: dict[Sense, Signal] = {
            "camera": PeopleCounted("camera", self.people if here else 0, 0.9),
            "microphone": SoundMeasured("microphone", *((-30.0, 0.9) if here else (-60.0, 0.0))),
            "motion": MotionChanged("board", here),
        }
        return tuple(said[sense] for sense in self.senses)


@dataclass(slots=True)
class Played:
    """What came of a scene. cut: it was not played to its end."""

    happenings: list[Happening] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    cut: bool = False


class HeardPolicy(Policy):
    """A policy that remembers which rule let each wish pass."""

    __slots__ = ("rules",)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.rules: dict[tuple[str, str], str] = {}

    def decide(self, proposal: Proposal, context: Context) -> Verdict:
        """Return what the policy says."""
        verdict = super().decide(proposal, context)
        self.rules[proposal.actuator, proposal.source] = verdict.rule
        return verdict


class HeardGate:
    """A gate that remembers which of its rules spoke last of each actuator."""

    def __init__(self, gate: GateCheck) -> None:
        self._gate = gate
        self.rules: dict[str, str] = {}

    def check(
        self,
        actuator: str,
        value: Value,
        priority: Priority,
        memory: GateMemory | None,
        mono: float,
        until: float = float("inf"),
    ) -> GateAnswer:
        """Return what the gate says."""
        answer = self._gate.check(actuator, value, priority, memory, mono, until)
        self.rules[actuator] = answer.rule
        return answer


def play(
    settings: CoreSettings,
    gate: GateCheck,
    meeting: Meeting,
    scenes: Mapping[str, Scene],
    ask: Ask | None = None,
) -> dict[str, Played]:
    """Return what happens in each scene; they begin alike, and part at the meeting's start.

    ask: None for a room without plugins.
    """
    if ask is None:
        settings = replace(settings, plugins={})
    # Senses that say the same again and again would only cost time.
    fusion = replace(settings.fusion, people_stale_s=NEVER_S, voice_stale_s=NEVER_S)
    settings = replace(settings, fusion=fusion)
    stage = _Stage(settings, gate, meeting, next(iter(scenes.values())), ask)
    stage.prepare()
    return {name: stage.fork(scene).finish() for name, scene in scenes.items()}


class _Stage:
    def __init__(
        self,
        settings: CoreSettings,
        gate: GateCheck,
        meeting: Meeting,
        scene: Scene,
        ask: Ask | None,
    ) -> None:
        self._policy, self._gate = HeardPolicy(settings.policy), HeardGate(gate)
        self._core = Core(settings, self._policy, self._gate)
        self._meeting, self._scene, self._ask = meeting, scene, ask
        self._state, self._sequence = CoreState(), 0
        self._wall = scene.begin
        self._shown: dict[str, Value] = {}
        self._phase = ""
        self._played = Played()

    def prepare(self) -> None:
        """Play up to the start, past the time in which nothing happens."""
        start = self._meeting.start
        self._say(Booted("rehearsal", 1, ""))
        self._say(ClockChecked("rehearsal", True))
        # How it stood before is no news.
        self._played = Played()
        self._say(*self._scene.look(self._wall))
        self._say(CalendarRead("rehearsal", (self._meeting,)))
        for skip in (start - HORIZON_S - 1.0, start - _early(self._core.settings)):
            if self._wall < skip:
                self._wall = skip
                self._say(Woke())
                self._until(min(skip + WARM_UP_S, start - 1.0))
        self._until(start - 1.0)

    def fork(self, scene: Scene) -> "_Stage":
        """Return a stage that goes on from here in another scene."""
        other = copy(self)
        other._scene, other._shown = scene, dict(self._shown)
        kept = self._played
        other._played = Played(list(kept.happenings), list(kept.promises), kept.cut)
        return other

    def finish(self) -> Played:
        """Play to the end of the scene."""
        for at in (self._scene.come, self._scene.leave):
            if self._wall < at < self._scene.end:
                self._until(at)
                self._say(*self._scene.look(at))
        self._until(self._scene.end)
        return self._played

    def _until(self, end: float) -> None:
        """Let time pass: what asks to be woken is."""
        while self._wall < end and not self._played.cut:
            due = self._wall + self._core.next_due(self._state, self._now) - self._now.mono
            self._wall = min(max(due, self._wall + SMALLEST_S), self._service, end)
            if self._wall < end:
                self._say(Woke())

    @property
    def _service(self) -> float:
        """When the service next says something: that the machine is ready."""
        ready = self._scene.machine_ready
        return ready if ready > self._wall else inf

    @property
    def _now(self) -> Now:
        return Now(self._wall, self._wall - self._scene.begin + 1000.0, True)

    def _say(self, *signals: Signal) -> None:
        """Take these signals, and what plugins and devices answer to them."""
        waiting = list(signals)
        while waiting and self._sequence < STEPS:
            outcome = self._step(waiting.pop(0))
            for command in outcome.commands:
                if not command.actuator.startswith(VM):
                    waiting.append(DeviceReported("mqtt", command.actuator, command.value))
            if self._ask is not None:
                waiting += [self._asked(call) for call in outcome.calls]
        self._played.cut = self._sequence >= STEPS

    def _asked(self, call: Call) -> Signal:
        assert self._ask is not None  # noqa: S101 - narrowed by the caller
        kept = self._state.plugin_state.get(call.plugin, "")
        return self._ask(call, kept, self._now, self._sequence)

    def _step(self, signal: Signal) -> Outcome:
        reports = self._machines()
        if reports is not None:
            self._one(MachineChanged("service", reports))
            for report in reports:
                text = "is ready, if it takes no longer than that"
                self._played.happenings.append(
                    Happening(self._wall, "machine", report.template, text)
                )
        return self._one(signal)

    def _one(self, signal: Signal) -> Outcome:
        self._sequence += 1
        ident = make_id(self._core.settings.room, 1, self._sequence)
        before = self._state
        self._state, outcome = self._core.step(before, signal, ident, self._now)
        self._played.happenings += self._seen(before, outcome)
        if outcome.decision is not None:
            self._played.promises += outcome.decision.promises
        return outcome

    def _machines(self) -> tuple[MachineReport, ...] | None:
        """What the service reports by now, None when it said so before."""
        ready = 0 < self._scene.machine_ready <= self._wall
        reports = tuple(
            MachineReport(m.key, m.meeting, m.template, "ready", self._scene.machine_ready)
            for m in self._state.wanted
            if ready
        )
        return None if reports == self._state.room.machines else reports

    def _seen(self, before: CoreState, outcome: Outcome) -> Iterator[Happening]:
        at, decision = self._wall, outcome.decision
        life = self._state.lives.get(self._meeting.key)
        if life is not None and life.phase != self._phase:
            self._phase = life.phase
            yield Happening(at, "meeting", life.phase, life.reason)
        occupied = self._state.room.presence.occupied
        if occupied != before.room.presence.occupied:
            text = "people are noticed" if occupied else "the room is noticed to be empty"
            yield Happening(at, "person", "occupied" if occupied else "empty", text)
        for command in outcome.commands:
            if self._shown.get(command.actuator) != command.value:
                yield self._given(command)
                self._shown[command.actuator] = command.value
        for machine in before.wanted if outcome.wanted is not None else ():
            if machine.key not in {m.key for m in self._state.wanted}:
                yield Happening(at, "machine", machine.template, "is no longer asked for")
        for verdict in decision.verdicts if decision is not None else ():
            yield Happening(
                at, "refused", verdict.actuator, verdict.reason, verdict.value, verdict.source,
                *((verdict.rule, "") if verdict.stage == "policy" else ("", verdict.rule)),
            )  # fmt: skip
        for write in outcome.writes:
            yield Happening(at, "calendar", write.verb, write.reason)

    def _given(self, command: Command) -> Happening:
        actuator = command.actuator
        kind: Kind = "machine" if actuator.startswith(VM) else "room"
        return Happening(
            self._wall, kind, actuator, command.reason, command.value, command.source,
            self._policy.rules.get((actuator, command.source), ""),
            self._gate.rules.get(actuator, ""),
        )  # fmt: skip


def _early(settings: CoreSettings) -> float:
    """How long before a start evidence of presence may matter."""
    leads = [lead for intent in settings.intents for lead in intent.all_leads]
    return max([settings.meetings.check_in_opens_s, PLUGINS_S, *leads]) + WARM_UP_S
