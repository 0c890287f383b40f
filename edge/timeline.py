"""The journal as people read it: one line per thing worth knowing. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from edge.contracts.decision import Decision, Promise
from edge.contracts.signals import (
    CalendarRead,
    CalendarWritten,
    ContactChanged,
    DeviceReported,
    MachineChanged,
    MotionChanged,
    NodeReading,
    OccupancyEstimated,
    OperatorAsked,
    PeopleCounted,
    PluginFailed,
    Signal,
    SoundMeasured,
    decode_signal,
)

Kind = Literal["signal", "decision", "command", "refused", "calendar", "machine", "fault"]

_decisions = msgspec.json.Decoder(Decision)


@dataclass(frozen=True, slots=True)
class Line:
    """kind: what sort of thing; who: source, actuator or key; text: what, and why."""

    kind: Kind
    who: str
    text: str
    id: str


@dataclass(slots=True)
class Timeline:
    """Turns rows into lines; remembers what was said last, so that nothing is said twice."""

    _said: dict[str, str] = field(default_factory=dict)

    def lines(self, kind: str, ident: str, body: bytes) -> Iterator[Line]:
        """Yield the lines of one journal row."""
        if kind == "signal":
            line = self._signal(decode_signal(body), ident)
            if line is not None and self._said.get(line.who + line.kind) != line.text:
                self._said[line.who + line.kind] = line.text
                yield line
        elif kind == "decision":
            yield from _decision(_decisions.decode(body), ident)

    def _signal(self, signal: Signal, ident: str) -> Line | None:  # noqa: PLR0911, PLR0912
        match signal:
            case PeopleCounted(source=source, count=count):
                return Line("signal", source, f"{count} in view", ident)
            case SoundMeasured(source=source, voice=voice, level_db=level):
                heard = f"speech, {level:.0f} dB" if voice >= 0.5 else "no speech"
                if (voice >= 0.5) == self._said.get(source + "signal", "").startswith("speech"):
                    return None
                return Line("signal", source, heard, ident)
            case MotionChanged(source=source, active=active):
                return Line("signal", source, "motion" if active else "no motion", ident)
            case ContactChanged(source=source, opening=opening, open=is_open):
                return Line("signal", source, f"{opening} {'open' if is_open else 'closed'}", ident)
            case NodeReading(source=source, quantity="co2", value=value):
                return Line("signal", source, f"CO2 about {round(value, -2):.0f} ppm", ident)
            case OccupancyEstimated(source=source, probability=probability):
                return Line("signal", source, f"model says {round(probability, 1):.0%}", ident)
            case CalendarRead(source=source, meetings=meetings):
                return Line("signal", source, f"{len(meetings)} meeting(s) in view", ident)
            case CalendarWritten(source=source, command=command, outcome=outcome, detail=detail):
                return Line("calendar", source, f"{command}: {outcome} {detail}".rstrip(), ident)
            case DeviceReported(actuator=actuator, value=value):
                return Line("signal", actuator, f"device reports {value}", ident)
            case OperatorAsked(who=who, verb=verb):
                return Line("signal", who, f"asks: {verb}", ident)
            case PluginFailed(source=source, reason=reason):
                return Line("fault", source, reason, ident)
            case MachineChanged():
                return None
            case _:
                return None


def promised(promise: Promise) -> str:
    """Return what became of a promise, in words."""
    about = f" ({promise.reason})" if promise.reason else ""
    if promise.outcome == "unknown":
        return f"{promise.name}: nobody can tell{about}"
    how = "to spare" if promise.outcome == "kept" else "short"
    return f"{promise.name}: {promise.outcome}, {abs(promise.by):g} {promise.unit} {how}{about}"


def _short(actuator: str) -> str:
    """A machine's key is 36 characters long; 8 tell one from another."""
    kind, slash, key = actuator.partition("/")
    return f"{kind}/{key[:8]}" if slash else actuator


def _decision(decision: Decision, ident: str) -> Iterator[Line]:
    for note in decision.notes:
        who, _, text = note.partition(" ")
        sort: Kind = "machine" if who == "machine" else "decision"
        if " is lost" in note or " is degraded" in note:
            sort = "fault"
        yield Line(sort, who, text, ident)
    for promise in decision.promises:
        sort = "fault" if promise.outcome == "missed" else "decision"
        yield Line(sort, "promise", promised(promise), ident)
    for verdict in decision.verdicts:
        text = f"{verdict.source} wanted {verdict.value}: {verdict.stage} {verdict.rule}"
        yield Line("refused", verdict.actuator, f"{text} {verdict.reason}".rstrip(), ident)
    for command in decision.commands:
        text = f"= {command.value}  ({command.source}: {command.reason})"
        yield Line("command", _short(command.actuator), text, command.id)
    for write in decision.writes:
        yield Line("calendar", write.verb, f"{write.uid}  ({write.reason})", write.id)
