"""A room of pure parts with a clock that tests turn by hand."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from edge.actuators.gate import Gate
from edge.contracts.base import Now
from edge.contracts.decision import Decision
from edge.contracts.gating import GateRule
from edge.contracts.signals import Booted, CalendarRead, ClockChecked, Meeting, Signal, Woke
from edge.decide.core import CoreSettings, CoreState, Outcome
from edge.decide.intents import Intent
from edge.decide.policy import Policy
from edge.decide.proposals import Grant, PluginRules
from edge.decide.step import Core
from edge.meetings.life import MeetingRules

EPOCH = 1_780_000_000.0

POLICY = """
@id("everybody") permit(principal, action, resource);
@id("life-temperature") forbid(principal, action, resource)
  when { context.class == "climate" && (context.value10 < 150 || context.value10 > 280) };
"""

SETTINGS = CoreSettings(
    room="aurora",
    organisation="example",
    intents=(
        Intent(
            "live-demo", "Live demo", ("demo",),
            {"light.main": 80, "climate.setpoint": 21.0}, vm="demo-small", lead_s=300,
        ),
        Intent("quiet-video", "Quiet", ("quiet",), {"light.main": 60, "climate.setpoint": 21.5}),
        Intent("default", "Meeting", (), {"light.main": 70, "climate.setpoint": 21.0}),
    ),
    fallbacks={"light.main": 0, "climate.setpoint": 18.0},
    gate=(
        GateRule("light.main", 0, 100, rate_per_min=30),
        GateRule("climate.setpoint", 15, 28, rate_per_min=12),
        GateRule("vm/*", values=("demo-small",)),
    ),
    policy=POLICY,
    meetings=MeetingRules(extend_step_s=600, extend_before_s=60, empty_end_s=30),
    plugins={
        "plugin:lights": PluginRules(
            "lights", ("meeting", "presence", "reading"), (Grant("light.main", 0, 100),)
        ),
    },
)  # fmt: skip


def meeting(uid: str = "m1", start: float = 600, minutes: float = 30, **more: object) -> Meeting:
    """Return a meeting that starts `start` seconds after EPOCH."""
    values = {"categories": ("demo",), "title": "Secret plans", **more}
    return Meeting(uid=uid, start=EPOCH + start, end=EPOCH + start + minutes * 60, **values)


@dataclass
class Room:
    """Drives a Core: `say` a signal, `wait` until the clock has moved on through every due."""

    settings: CoreSettings = SETTINGS
    wall: float = EPOCH
    mono: float = 1000.0
    state: CoreState = field(default_factory=CoreState)
    sequence: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    said: list[tuple[Signal, str, Now]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.core = Core(self.settings, Policy(self.settings.policy), Gate(self.settings.gate))
        self.start = self.state
        self.say(Booted("loop", 1, "hash"))
        self.say(ClockChecked("clock", True))

    @property
    def now(self) -> Now:
        return Now(self.wall, self.mono, True)

    def say(self, signal: Signal) -> Outcome:
        self.sequence += 1
        ident = f"{self.settings.room}-1-{self.sequence}"
        self.said.append((signal, ident, self.now))
        self.state, outcome = self.core.step(self.state, signal, ident, self.now)
        self.outcomes.append(outcome)
        return outcome

    def wait(self, seconds: float, every: Iterable[Signal] = (), period: float = 5.0) -> None:
        """Let time pass; `every` is said again each `period` seconds, as sources do."""
        end = self.mono + seconds
        signals = list(every)
        repeat = self.mono if signals else float("inf")
        steps = 0
        while True:
            steps += 1
            assert steps < 5000, "the core asks to be woken again and again"
            due = max(self.core.next_due(self.state, self.now), self.mono + 0.005)
            at = min(due, repeat, end)
            self.wall += at - self.mono
            self.mono = at
            if at >= end:
                return
            if at == repeat:
                for signal in signals:
                    self.say(signal)
                repeat += period
            else:
                self.say(Woke())

    def calendar(self, *meetings: Meeting) -> Outcome:
        return self.say(CalendarRead("calendar", meetings))

    def decisions(self) -> list[Decision]:
        return [o.decision for o in self.outcomes if o.decision is not None]

    def verbs(self) -> list[str]:
        return [w.verb for o in self.outcomes for w in o.writes]

    def last(self, actuator: str) -> object:
        return self.state.given[actuator].value

    def with_rules(self, **changes: object) -> None:
        rules = replace(self.settings.meetings, **changes)
        self.settings = replace(self.settings, meetings=rules)
        self.core = replace(self.core, settings=self.settings)
