"""The audit trail: stored rows in words, and why a room did what it did. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from cloud_bridge.admin.live import decision_of, event_of, signal_of, wall_of
from cloud_bridge.admin.say import Say, source_name
from cloud_bridge.store.looking import Stored
from edge.contracts import signals
from edge.contracts.commands import CalendarWrite, Command, Verdict
from edge.contracts.decision import Decision
from edge.contracts.wire import EventMessage

TEXT_LIMIT = 400
RAW_LIMIT = 20_000
KINDS = (
    ("action", "What rooms did"),
    ("decision", "All decisions"),
    ("signal", "Signals"),
    ("note", "Notes"),
    ("command", "Commands"),
    ("boot", "Starts"),
)
"""Kinds of rows that people can choose, and how they are called."""
BADGES = {
    "acted": ("ok", "check"),
    "refused": ("fair", "warn"),
    "unreadable": ("poor", "error"),
    "noted": ("unknown", "info"),
    "signal": ("unknown", "noise"),
}
"""Word -> tone, icon; others look like a note."""


@dataclass(frozen=True, slots=True)
class TrailRow:
    """One stored row. at: the room's clock; word: acted, refused, noted, unreadable or the kind."""

    room: str
    sequence: int
    id: str
    kind: str
    word: str
    tone: str
    icon: str
    at: str
    iso: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Item:
    """A heading and what stands behind it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Why:
    """One row explained. cause: the row that led to it, None when it is not stored."""

    row: TrailRow
    facts: tuple[Item, ...]
    evidence: tuple[str, ...]
    verdicts: tuple[Item, ...]
    outcome: tuple[Item, ...]
    cause: TrailRow | None
    raw: str


def trail_row(row: Stored, say: Say) -> TrailRow:
    """Return a row in words; unreadable ones say so."""
    kind = row.type.removeprefix("roomkeeper.")[:32]
    event = event_of(row)
    at = (wall_of(event) if event else 0.0) or row.received
    what, reason, word = _words(event)
    word = word or kind
    tone, icon = BADGES.get(word, BADGES["noted"])
    return TrailRow(
        row.room, row.sequence, row.id, kind, word, tone, icon, say.exact(at), say.iso(at),
        what[:TEXT_LIMIT], reason[:TEXT_LIMIT],
    )  # fmt: skip


def why(row: Stored, cause: Stored | None, later: Iterable[Stored], say: Say) -> Why:
    """Return the explanation of a row. later: rows behind it, where results are looked for."""
    event = event_of(row)
    decision = decision_of(event) if event else None
    facts: list[Item] = []
    evidence: tuple[str, ...] = ()
    verdicts: tuple[Item, ...] = ()
    outcome: list[Item] = []
    if decision is not None:
        facts = _facts(decision, cause)
        evidence = decision.evidence
        verdicts = tuple(_verdict(one) for one in decision.verdicts)
        outcome = [*map(_done, decision.commands), *map(_written, decision.writes)]
        if decision.wanted:
            outcome.append(Item("Machines", f"told the service what it wants ({decision.wanted})"))
        outcome += _results(decision, later)
    return Why(
        row=trail_row(row, say),
        facts=tuple(facts),
        evidence=evidence,
        verdicts=verdicts,
        outcome=tuple(outcome),
        cause=None if cause is None else trail_row(cause, say),
        raw=_raw(row),
    )


def cause_of(row: Stored) -> str:
    """Return the id of the row that led to this one, "" when it tells none."""
    event = event_of(row)
    decision = decision_of(event) if event else None
    return "" if decision is None else decision.cause


def _facts(decision: Decision, cause: Stored | None) -> list[Item]:
    presence = "occupied" if decision.occupied else "empty"
    counted = "1 person" if decision.count == 1 else f"{decision.count} people"
    found = [
        Item(
            "The room was",
            f"{presence}: {decision.probability:.0%} likely, {counted} seen, "
            f"{decision.confidence:.0%} sure",
        )
    ]
    event = event_of(cause) if cause else None
    signal = signal_of(event) if event else None
    if isinstance(signal, signals.OccupancyEstimated):
        inputs = ", ".join(signal.inputs) or "what it had"
        found.append(Item("Model", f"{signal.model}, from {inputs}"))
    if decision.meeting:
        found.append(Item("Meeting", f"{decision.meeting} ({decision.phase or 'none'})"))
    if decision.intent:
        found.append(Item("Intent", decision.intent))
    found += [Item("Changed", note) for note in decision.notes]
    return found


def _verdict(one: Verdict) -> Item:
    said = "allowed" if one.allowed else "refused"
    reason = f": {one.reason}" if one.reason else ""
    return Item(
        f"{one.stage}, {one.rule}", f"{said} {one.actuator} = {one.value} by {one.source}{reason}"
    )


def _done(one: Command) -> Item:
    return Item(one.actuator, f"{one.value} by {one.source} ({one.priority}): {one.reason}")


def _written(one: CalendarWrite) -> Item:
    return Item("Calendar", f"{one.verb.replace('_', ' ')}: {one.reason}")


def _results(decision: Decision, later: Iterable[Stored]) -> list[Item]:
    writes = {write.id: write.verb for write in decision.writes}
    set_to = {command.actuator: command.value for command in decision.commands}
    found = []
    for row in later:
        event = event_of(row)
        match signal_of(event) if event else None:
            case signals.CalendarWritten(command=ident, outcome=outcome) if ident in writes:
                found.append(Item("Calendar answered", f"{writes.pop(ident)}: {outcome}"))
            case signals.DeviceReported(actuator=actuator, value=value) if actuator in set_to:
                same = "as told" if set_to.pop(actuator) == value else "something else"
                found.append(Item(f"{actuator} answered", f"{value}, {same}"))
            case _:
                continue
    return found


def _words(event: EventMessage | None) -> tuple[str, str, str]:
    """Return what happened, why, and the row's word, "" for its kind."""
    if event is None:
        return "This row cannot be read", "", "unreadable"
    if not event.data:
        return "Its content stays in the room, or was thinned out", "", ""
    decision = decision_of(event)
    if decision is not None:
        return _decision(decision)
    signal = signal_of(event) if event.type == "roomkeeper.signal" else None
    if signal is not None:
        return _signal(signal), "", ""
    return ", ".join(f"{key}: {value}" for key, value in event.data.items()), "", ""


def _decision(one: Decision) -> tuple[str, str, str]:
    done = [f"{command.actuator} to {command.value}" for command in one.commands]
    done += [f"calendar: {write.verb.replace('_', ' ')}" for write in one.writes]
    against = [verdict for verdict in one.verdicts if not verdict.allowed]
    given = [command.reason for command in one.commands]
    reasons = [reason for reason in (*given, *(each.reason for each in one.writes)) if reason]
    if done:
        return ", ".join(done), "; ".join(dict.fromkeys(reasons)), "acted"
    if one.notes:
        return "; ".join(one.notes), "", "refused" if against else "noted"
    if against:
        first = against[0]
        return (
            f"{first.source} may not set {first.actuator} to {first.value}",
            f"{first.stage} {first.rule} {first.reason}".strip(),
            "refused",
        )
    return "told the service which machines it wants", "", "noted"


def _signal(one: signals.Signal) -> str:  # noqa: PLR0911, PLR0912 - one line for each kind
    name = source_name(one.source)
    match one:
        case signals.PeopleCounted(count=count):
            return f"{name}: {count} in view"
        case signals.SoundMeasured(level_db=level, voice=voice):
            return f"{name}: {level:.0f} dB, speech {voice:.0%} likely"
        case signals.NodeReading(quantity=quantity, value=value):
            unit = signals.QUANTITY_RANGE[quantity][2]
            return f"{name}: {quantity} {value:g} {unit}"
        case signals.MotionChanged(active=active):
            return f"{name}: {'motion' if active else 'no motion'}"
        case signals.OccupancyEstimated(probability=probability, model=model):
            return f"{name} {model}: {probability:.0%} that somebody is there"
        case signals.CalendarRead(meetings=meetings):
            return f"calendar: {len(meetings)} meetings read"
        case signals.CalendarWritten(command=command, outcome=outcome, detail=detail):
            return f"calendar: {command} {outcome} {detail}".rstrip()
        case signals.SourceChanged(health=health, reason=reason):
            return f"{name} is {health} {reason}".rstrip()
        case signals.DeviceReported(actuator=actuator, value=value):
            return f"{actuator} reports {value}"
        case signals.MachineChanged(machines=machines):
            told = ", ".join(f"{one.key[:8]} {one.phase}" for one in machines)
            return f"machines: {told or 'none'}"
        case signals.OperatorAsked(who=who, verb=verb, actuator=actuator, value=value):
            return f"{who} asked: {verb.replace('_', ' ')} {actuator} {value}".rstrip()
        case signals.PluginFailed(reason=reason):
            return f"{name} failed: {reason}"
        case signals.PluginAnswered(commands=commands):
            asked = ", ".join(f"{one.actuator} to {one.value}" for one in commands)
            return f"{name} answered: {asked or 'nothing to do'}"
        case signals.Booted(boot=boot):
            return f"the room's process started for the {boot}. time"
        case signals.ClockChecked(trusted=trusted, reason=reason):
            return f"clock {'trusted' if trusted else 'not trusted'} {reason}".rstrip()
        case _:
            return f"{name}: woke"


def _raw(row: Stored) -> str:
    try:
        return msgspec.json.format(row.body, indent=2).decode()[:RAW_LIMIT]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return repr(row.body[:RAW_LIMIT])
