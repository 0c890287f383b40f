"""What the tests of drivers share: a follower on a port, and what it posted."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from edge.actuators.follower import Follower, Port
from edge.contracts.base import Value
from edge.contracts.commands import Command
from edge.contracts.signals import DeviceReported, Signal, SourceChanged
from edge.process.backoff import Backoff
from tests.world.waiting import until


@dataclass
class DeviceRoom:
    """One device named `thing`; its wall clock stands until a test moves it."""

    stack: ExitStack
    port: Port
    actuators: tuple[str, ...]
    signals: list[Signal] = field(default_factory=list)
    wall: float = 1000.0
    follow_s: float = 0.3

    def start(self) -> "DeviceRoom":
        self.follower = Follower(
            "driver:test", "thing", self.actuators, self.port, self.signals.append,
            follow_s=self.follow_s, backoff=Backoff(0.05, 0.2), wall=lambda: self.wall,
        )  # fmt: skip
        self.follower.start()
        self.stack.callback(self.follower.stop)
        return self

    def apply(self, actuator: str, value: Value, until_s: float = 2000.0) -> None:
        self.follower.apply(Command("c", actuator, value, until_s, "camera", "plugin", "cause"))

    def reports(self, actuator: str) -> list[Value]:
        return [
            s.value
            for s in self.signals
            if isinstance(s, DeviceReported) and s.actuator == actuator
        ]

    def reported(self, actuator: str) -> Value | None:
        found = self.reports(actuator)
        return found[-1] if found else None

    @property
    def healths(self) -> list[tuple[str, str]]:
        return [(s.health, s.reason) for s in self.signals if isinstance(s, SourceChanged)]

    @property
    def health(self) -> str:
        return self.healths[-1][0] if self.healths else ""

    def until_reported(self, actuator: str, value: Value, seconds: float = 20.0) -> None:
        self._until(lambda: self.reported(actuator) == value, seconds)

    def until_agreed(self) -> None:
        self._until(lambda: not self.follower._desires.due(float("inf")), 20.0)

    def until_health(self, wanted: Callable[[str, str], bool], seconds: float = 20.0) -> None:
        self._until(lambda: any(wanted(*h) for h in self.healths[-1:]), seconds)

    def _until(self, holds: Callable[[], bool], seconds: float) -> None:
        try:
            until(holds, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; posted: {self.signals}") from error
