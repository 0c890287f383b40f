"""What a meeting should have gone through, found in the room's journal."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from edge.contracts.commands import Command
from edge.contracts.decision import Decision
from edge.contracts.signals import (
    CalendarWritten,
    DeviceReported,
    MachineChanged,
    PeopleCounted,
    SoundMeasured,
    decode_signal,
)
from edge.replay import Kept

_decisions = msgspec.json.Decoder(Decision)


@dataclass
class Step:
    """One thing that should happen; `at` is the wall second it did, None when it did not."""

    name: str
    at: float | None = None
    detail: str = ""

    def seen(self, at: float, detail: str = "") -> None:
        if self.at is None:
            self.at, self.detail = at, detail


class Story:
    """Follows one meeting through journal rows."""

    def __init__(self, uid: str, start: float) -> None:
        self.uid = uid
        self.start = start
        self.steps = {
            name: Step(text)
            for name, text in (
                ("accepted", "the room accepted the invitation"),
                ("ready", "the machine is ready"),
                ("people", "the camera counts people"),
                ("speech", "the microphone hears speech"),
                ("check_in", "the room checked the meeting in"),
                ("lights", "the lights plugin set the light"),
                ("climate", "the climate plugin set the temperature"),
                ("device", "a device reported the change"),
                ("written", "the calendar holds the check-in"),
                ("extended", "people stayed: the meeting was extended"),
                ("empty", "the room is empty again"),
                ("ended", "the meeting ended"),
                ("light_off", "the light is off again"),
                ("setback", "the temperature is set back"),
                ("gone", "the machine is gone"),
            )
        }
        self._checks: set[str] = set()

    def take(self, row: Kept) -> None:
        """Look at one journal row."""
        if row.body is None:
            return
        if row.kind == "signal":
            self._signal(row.now.wall, row.body)
        elif row.kind == "decision":
            self._decision(row.now.wall, _decisions.decode(row.body))

    def follow(self, rows: Iterable[Kept]) -> "Story":
        for row in rows:
            self.take(row)
        return self

    @property
    def missing(self) -> list[str]:
        """The steps that did not happen, and a machine that came too late."""
        late = [step.name for step in self.steps.values() if step.at is None]
        ready = self.steps["ready"].at
        if ready is not None and ready >= self.start:
            late.append("the machine was ready only after the start")
        return late

    def table(self) -> str:
        """Return one line per step: seconds from the meeting's start, what, and why."""
        lines = []
        for step in self.steps.values():
            when = "   never " if step.at is None else f"{step.at - self.start:+8.1f} s"
            lines.append(f"  {when}  {step.name}" + (f"  [{step.detail}]" if step.detail else ""))
        return "\n".join(lines)

    def _signal(self, at: float, body: bytes) -> None:
        match decode_signal(body):
            case PeopleCounted(count=count) if count:
                self.steps["people"].seen(at, f"{count}")
            case SoundMeasured(voice=voice, level_db=level) if voice >= 0.5:
                self.steps["speech"].seen(at, f"{voice:.0%}, {level:.0f} dB")
            case DeviceReported(actuator=actuator, value=value) if value and self._lit():
                self.steps["device"].seen(at, f"{actuator} = {value}")
            case CalendarWritten(command=command, outcome="ok") if command in self._checks:
                self.steps["written"].seen(at)
            case MachineChanged(machines=machines):
                self._machines(at, machines)

    def _lit(self) -> bool:
        return self.steps["lights"].at is not None

    def _machines(self, at: float, machines: Iterable[object]) -> None:
        for machine in machines:
            if machine.phase == "ready":
                self.steps["ready"].seen(at, machine.address)
            if machine.phase == "gone":
                self.steps["gone"].seen(at, machine.detail)

    def _decision(self, at: float, decision: Decision) -> None:
        for write in decision.writes:
            if write.uid != self.uid:
                continue
            if write.verb == "check_in":
                self._checks.add(write.id)
            step = {"accept": "accepted", "check_in": "check_in", "extend": "extended"}
            if write.verb in step:
                self.steps[step[write.verb]].seen(at, write.reason)
        for note in decision.notes:
            if note.startswith(f"meeting {self.uid}: active -> ended"):
                self.steps["ended"].seen(at, note.partition("(")[2].rstrip(")"))
            if note.startswith("room is empty") and self.steps["check_in"].at is not None:
                self.steps["empty"].seen(at)
        for command in decision.commands:
            self._command(at, command)

    def _command(self, at: float, command: Command) -> None:
        match command.actuator.split(".")[0], command.source, command.value:
            case "light", "plugin:lights", value if value:
                self.steps["lights"].seen(at, f"{value} %, {command.reason}")
            case "climate", "plugin:climate", value if self.steps["check_in"].at is not None:
                if self.steps["climate"].at is None:
                    self.steps["climate"].seen(at, f"{value} °C, {command.reason}")
                elif self._over() and value < 20:
                    self.steps["setback"].seen(at, f"{value} °C, {command.reason}")
            case "light", _, 0 if self._over():
                self.steps["light_off"].seen(at, command.reason)
            case "climate", _, value if self._over() and value < 20:
                self.steps["setback"].seen(at, f"{value} °C, {command.reason}")

    def _over(self) -> bool:
        return self.steps["empty"].at is not None
