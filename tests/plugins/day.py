"""A simulated day: real plugins, sandbox, core, policy and gate in a made-up room."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from edge.contracts.base import Value
from edge.contracts.commands import Command
from edge.contracts.gating import GateRule
from edge.contracts.signals import (
    CalendarRead,
    ContactChanged,
    DeviceReported,
    Meeting,
    MotionChanged,
    NodeReading,
    OperatorAsked,
    PeopleCounted,
    PluginAnswered,
    Signal,
    SoundMeasured,
)
from edge.decide.core import CoreSettings, Outcome
from edge.decide.intents import Intent
from edge.decide.proposals import Grant, PluginRules
from edge.decide.sky import Place
from edge.fusion.state import FusionRules
from edge.inbox import near
from edge.plugins.cache import CompileCache
from edge.plugins.install import InstalledPlugin, load_plugins
from edge.plugins.private import PrivateFolder
from edge.plugins.runner import Runner
from edge.plugins.sandbox import Sandbox
from tests.plugins.building import BERLIN, Building
from tests.plugins.guests import KEYS, ROOT, SHIPPED
from tests.world.room import Room

ZONE = "Europe/Berlin"
STEP_S = 20.0
REFRESH_S = 60.0

ACTUATORS: Mapping[str, tuple[GateRule, Value]] = {
    rule.actuator: (rule, rest)
    for rule, rest in (
        (GateRule("light.main", 0, 100, rate_per_min=30), 0),
        (GateRule("light.front", 0, 100, rate_per_min=30), 0),
        (GateRule("climate.setpoint", 15, 28, rate_per_min=6), 18.0),
        (GateRule("ventilation.level", 0, 100, rate_per_min=6), 0),
        (GateRule("blind.main", 0, 100, rate_per_min=6), 0),
        (GateRule("camera.preset", values=("home", "table", "presenter")), "home"),
        (GateRule("camera.shutter", values=("open", "closed")), "closed"),
        (GateRule("microphone.gain", 0, 100, rate_per_min=30), 50),
        (GateRule("microphone.mute", values=("on", "off")), "on"),
        (GateRule("display.power", values=("on", "off")), "off"),
        (GateRule("display.input", values=("laptop", "player")), "player"),
    )
}

INTENTS = (
    Intent("quiet-video", "Quiet", ("quiet",), {"light.main": 60, "climate.setpoint": 21.5}),
    Intent("presentation", "Presentation", ("slides",), {"blind.main": 80}),
    Intent("default", "Meeting", ()),
)


def at(hour: float, day: tuple[int, int, int] = (2026, 3, 10)) -> float:
    """Return wall seconds of a local hour of the day."""
    return datetime(*day, tzinfo=ZoneInfo(ZONE)).timestamp() + hour * 3600


def booked(uid: str, start: float, end: float, tag: str = "", **more: object) -> Meeting:
    """Return a meeting between two hours of the day."""
    tags = (tag,) if tag else ()
    return Meeting(uid, at(start), at(end), categories=tags, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Moment:
    """The room at the end of one step. values: what was last commanded."""

    hour: float
    people: int
    occupied: bool
    meeting: str
    lux: float
    daylight: float
    temperature: float
    co2: float
    values: Mapping[str, Value]


@dataclass
class Lived(Room):
    """A core whose plugins answer at once and whose commands move a building."""

    runners: Mapping[str, Runner] = field(default_factory=dict)
    commands: list[tuple[float, Command]] = field(default_factory=list)
    unheard: list[Command] = field(default_factory=list)

    def say(self, signal: Signal) -> Outcome:
        outcome = super().say(signal)
        for command in outcome.commands:
            self.commands.append((self.wall, command))
            self.unheard.append(command)
        for call in outcome.calls:
            runner = self.runners[call.plugin.removeprefix("plugin:")]
            answer = runner.call((call.event,), self.wall, 1)
            events = (call.event.id,)
            self.say(PluginAnswered(call.plugin, events, answer.commands, answer.state))
        return outcome


@dataclass
class Day:
    """Runs the room through its day and remembers every step of it.

    people, seen (by the camera, everybody if not given), window, cloud, sound: functions of the
    local hour, sound of the building too; motion: the chance that somebody is sensed moving within
    a step.
    """

    room: Lived
    building: Building
    people: Callable[[float], int]
    seen: Callable[[float], int] | None = None
    motion: float = 0.9
    window: Callable[[float], bool] | None = None
    cloud: Callable[[float], float] | None = None
    sound: Callable[[float, Building], SoundMeasured] | None = None
    hands: Mapping[float, Signal] = field(default_factory=dict)
    step_s: float = STEP_S
    moments: list[Moment] = field(default_factory=list)
    _said: dict[str, tuple[float, Signal]] = field(default_factory=dict)

    def live(self, until: float) -> "Day":
        """Let time pass until a local hour."""
        while self.hour < until - 1e-6:
            self._step()
        return self

    @property
    def hour(self) -> float:
        return (self.room.wall - at(0)) / 3600

    def changes(self, actuator: str, since: float = 0.0, until: float = 48.0) -> list[float]:
        """Return the hours at which an actuator was given another value."""
        found, last = [], None
        for wall, command in self.room.commands:
            if command.actuator != actuator:
                continue
            hour = (wall - at(0)) / 3600
            if last is not None and command.value != last and since <= hour < until:
                found.append(hour)
            last = command.value
        return found

    def busiest(self, actuator: str) -> int:
        """Return the most changes within any hour."""
        hours = self.changes(actuator)
        return max((sum(h <= x < h + 1 for x in hours) for h in hours), default=0)

    def refused(self, source: str) -> set[str]:
        """Return the rules that stood in the way of a source."""
        verdicts = [v for d in self.room.decisions() for v in d.verdicts]
        return {v.rule for v in verdicts if v.source == source and not v.allowed}

    def between(self, since: float, until: float) -> list[Moment]:
        """Return the moments between two hours."""
        return [m for m in self.moments if since <= m.hour < until]

    def _step(self) -> None:
        hour, room, building = self.hour, self.room, self.building
        people = self.people(hour)
        building.window_open = self.window is not None and self.window(hour)
        if self.cloud is not None:
            building.cloud = self.cloud(hour)
        building.step(people, self.step_s)
        for due in [h for h in self.hands if hour - self.step_s / 3600 < h <= hour]:
            room.say(self.hands[due])
        for signal in self._signals(hour, people):
            self._level(signal)
        room.wait(self.step_s)
        self._obey()
        presence = room.state.room.presence
        values = {a: c.value for a, c in room.state.given.items()}
        active = [x.phase for x in room.state.lives.values() if x.phase == "active"]
        self.moments.append(
            Moment(
                self.hour, people, presence.occupied, active[0] if active else "", building.lux,
                building.daylight, building.temperature, building.co2, values,
            )
        )  # fmt: skip

    def _signals(self, hour: float, people: int) -> Iterator[Signal]:
        seen = people if self.seen is None else self.seen(hour)
        yield PeopleCounted("camera", seen, 0.5)
        moves = people > 0 and self.building.rng.random() < self.motion
        yield MotionChanged("node:desk", moves)
        for quantity, value in self.building.readings().items():
            yield NodeReading("node:desk", quantity, value)  # type: ignore[arg-type]
        if self.window is not None:
            yield ContactChanged("node:desk", "window", self.window(hour))
        if self.sound is not None:
            yield self.sound(hour, self.building)

    def _level(self, signal: Signal) -> None:
        """As inbox and boards do: an edge only when it changed, a level when it says something."""
        name = type(signal).__name__ + getattr(signal, "quantity", "")
        before = self._said.get(name)
        edge = isinstance(signal, MotionChanged | ContactChanged)
        if before is not None:
            old = self.room.mono - before[0] >= REFRESH_S
            same = before[1] == signal if edge else near(before[1], signal) and not old
            if same:
                return
        self._said[name] = (self.room.mono, signal)
        self.room.say(signal)

    def _obey(self) -> None:
        commands, self.room.unheard = self.room.unheard, []
        for command in commands:
            self.move(command.actuator, command.value)

    def move(self, actuator: str, value: Value) -> None:
        """Set a device, by command or by hand; it reports."""
        names = {
            "light.main": "lamps", "climate.setpoint": "setpoint", "ventilation.level": "fan",
            "blind.main": "blind", "microphone.gain": "gain",
        }  # fmt: skip
        if actuator in names:
            setattr(self.building, names[actuator], float(value))
        self.room.say(DeviceReported("mqtt", actuator, value))


def rules(plugin: InstalledPlugin, actuators: Iterable[str]) -> PluginRules:
    """Return what the manifest lets a plugin do in this room."""
    rows = [(name, plugin.manifest.actuator(name)) for name in actuators]
    grants = [Grant(name, r.min, r.max, r.values) for name, r in rows if r is not None]
    return PluginRules(plugin.id, plugin.manifest.events, tuple(grants))


@contextmanager
def day(
    plugins: Mapping[str, Mapping[str, Value]],
    actuators: Iterable[str],
    meetings: Iterable[Meeting],
    people: Callable[[float], int],
    *,
    begins: float = 6.0,
    building: Mapping[str, float] | None = None,
    cache: Path | None = None,
    **more: object,
) -> Iterator[Day]:
    """A day with these plugins and their settings, from the hour it begins at.

    cache: a folder for what was compiled, for plugins that are slow to compile.
    """
    names = tuple(actuators)
    found = [
        replace(
            plugin,
            manifest=msgspec.structs.replace(
                plugin.manifest,
                limits=msgspec.structs.replace(plugin.manifest.limits, deadline_ms=1000),
            ),
        )
        for plugin in load_plugins(SHIPPED, KEYS, plugins, plugins)
    ]
    settings = CoreSettings(
        room="aurora",
        organisation="example",
        intents=INTENTS,
        fallbacks={name: ACTUATORS[name][1] for name in names},
        gate=tuple(ACTUATORS[name][0] for name in names),
        policy=(ROOT / "config/policies/room.cedar").read_text(),
        # Coarse steps: what a source says holds until it speaks again.
        fusion=FusionRules(people_stale_s=90, voice_stale_s=90, motion_stale_s=120),
        plugins={f"plugin:{p.id}": rules(p, names) for p in found},
        place=Place(*BERLIN, ZONE),
    )
    box = Sandbox()
    runners = {plugin.id: Runner(plugin) for plugin in found}
    try:
        for runner in runners.values():
            runner.load(box, None if cache is None else CompileCache(PrivateFolder(cache)))
        start = at(begins)
        room = Lived(settings, wall=start, runners=runners)
        room.say(CalendarRead("calendar", tuple(meetings)))
        made = Building(start, **(building or {}))  # type: ignore[arg-type]
        yield Day(room, made, people, **more)  # type: ignore[arg-type]
    finally:
        for runner in runners.values():
            runner.close()
        box.close()


def consent(wish: str) -> OperatorAsked:
    """Return what people agree to at the panel."""
    return OperatorAsked("panel", "consent", value=wish)


def by_hand(actuator: str, value: Value, hours: float) -> OperatorAsked:
    """Return a person's wish at the panel."""
    return OperatorAsked("panel", "set", actuator=actuator, value=value, seconds=hours * 3600)
