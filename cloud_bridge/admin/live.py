"""What the rows of a room add up to, row by row. Pure."""

import re
from datetime import datetime

import msgspec

from cloud_bridge.store.looking import Stored
from edge.contracts.base import Message
from edge.contracts.decision import Decision
from edge.contracts.signals import (
    Booted,
    CalendarRead,
    ClockChecked,
    Health,
    NodeReading,
    PeopleCounted,
    Signal,
    SourceChanged,
)
from edge.contracts.wire import EventMessage

MEETINGS_KEPT = 60
SOURCES_KEPT = 64
NAME_LIMIT = 200
SIGNAL, DECISION = "roomkeeper.signal", "roomkeeper.decision"
SHOWN = ("temperature", "co2")
_PHASE = re.compile(r"meeting (.{1,1024}): \w+ -> (\w{1,32}) \(")

_event = msgspec.json.Decoder(EventMessage)


class Reading(Message, frozen=True):
    """at: the room's wall seconds."""

    value: float
    at: float
    source: str


class Source(Message, frozen=True):
    """at: since when; the room's wall seconds."""

    health: Health
    reason: str
    at: float


class Seen(Message, frozen=True):
    """A meeting as the room's calendar and decisions tell it; "" where the room does not share."""

    start: float
    end: float
    title: str = ""
    organiser: str = ""
    private: bool = False
    cancelled: bool = False
    phase: str = ""


class Live(Message, frozen=True):
    """A room up to row `sequence`. at, booted: the room's wall seconds; received: ours.

    occupied is None before the first decision. meeting, phase: of the meeting it serves.
    """

    room: str
    sequence: int = 0
    at: float = 0.0
    received: float = 0.0
    occupied: bool | None = None
    count: int = 0
    confidence: float = 0.0
    meeting: str = ""
    phase: str = ""
    intent: str = ""
    clock: bool = True
    booted: float = 0.0
    skipped: int = 0
    readings: dict[str, Reading] = msgspec.field(default_factory=dict)
    sources: dict[str, Source] = msgspec.field(default_factory=dict)
    meetings: dict[str, Seen] = msgspec.field(default_factory=dict)


_decoder = msgspec.json.Decoder(Live)


def decode_live(body: bytes) -> Live | None:
    """Return the state in `body`; None when another version wrote it."""
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError:
        return None


def event_of(row: Stored) -> EventMessage | None:
    """Return what the room sent, None when it is unreadable."""
    try:
        return _event.decode(row.body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def wall_of(event: EventMessage) -> float:
    """Return the room's wall seconds, 0 when it did not tell."""
    try:
        return datetime.fromisoformat(event.time).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def signal_of(event: EventMessage) -> Signal | None:
    """Return the signal in a row; None when it is none, or thinned out."""
    try:
        signal: Signal = msgspec.convert(event.data, Signal)
    except (msgspec.ValidationError, RecursionError):
        return None
    return signal


def decision_of(event: EventMessage) -> Decision | None:
    """Return the decision in a row; None when it is none, or thinned out."""
    try:
        return msgspec.convert(event.data, Decision) if event.type == DECISION else None
    except (msgspec.ValidationError, RecursionError):
        return None


def fold(live: Live, row: Stored) -> Live:
    """Return the state after one more row; an unreadable one is counted and changes nothing."""
    event = event_of(row)
    told: Signal | Decision | None = None
    at = 0.0
    if event is not None:
        at = wall_of(event)
        told = decision_of(event)
        if event.type == SIGNAL:
            told = signal_of(event)
    live = msgspec.structs.replace(
        live,
        sequence=row.sequence,
        at=at or live.at,
        received=row.received,
        skipped=live.skipped + (event is None),
    )
    if isinstance(told, Decision):
        return _decided(live, told)
    return live if told is None else _told(live, told, at)


def _told(live: Live, signal: Signal, at: float) -> Live:  # noqa: PLR0911 - a case each
    match signal:
        case Booted():
            return msgspec.structs.replace(live, booted=at, sources={}, readings={})
        case ClockChecked(trusted=trusted):
            return msgspec.structs.replace(live, clock=trusted)
        case NodeReading(source=source, quantity=quantity, value=value) if quantity in SHOWN:
            read = {**live.readings, quantity: Reading(value, at, source[:NAME_LIMIT])}
            return msgspec.structs.replace(live, readings=read)
        case PeopleCounted(count=count):
            # A decision tells the count too, but only when there is something to decide.
            return msgspec.structs.replace(live, count=max(0, count))
        case SourceChanged(source=name, health=health, reason=reason):
            state = Source(health, reason[:NAME_LIMIT], at)
            sources = {**live.sources, name[:NAME_LIMIT]: state}
            return msgspec.structs.replace(live, sources=_newest(sources, SOURCES_KEPT))
        case CalendarRead():
            return msgspec.structs.replace(live, meetings=_meetings(live, signal))
        case _:
            return live


def _meetings(live: Live, read: CalendarRead) -> dict[str, Seen]:
    """The calendar's word on what is to come; what it no longer tells of stays while it fits."""
    found = dict(live.meetings)
    told = set()
    for one in read.meetings:
        told.add(one.key)
        before = found.get(one.key)
        found[one.key] = Seen(
            one.start,
            one.end,
            one.title[:NAME_LIMIT],
            one.organiser[:NAME_LIMIT],
            one.private,
            one.cancelled,
            "" if before is None else before.phase,
        )
    for key, seen in list(found.items()):
        if key not in told and seen.start > live.at and not seen.phase:
            found[key] = msgspec.structs.replace(seen, cancelled=True)
    kept = sorted(found.items(), key=lambda item: item[1].start)[-MEETINGS_KEPT:]
    return dict(kept)


def _newest(sources: dict[str, Source], limit: int) -> dict[str, Source]:
    if len(sources) <= limit:
        return sources
    return dict(sorted(sources.items(), key=lambda item: item[1].at)[-limit:])


def _decided(live: Live, decision: Decision) -> Live:
    meetings = dict(live.meetings)
    for note in decision.notes:
        found = _PHASE.match(note)
        for key in _keys(meetings, found[1]) if found else ():
            meetings[key] = msgspec.structs.replace(meetings[key], phase=found[2] if found else "")
    if decision.meeting in meetings and decision.phase:
        seen = meetings[decision.meeting]
        meetings[decision.meeting] = msgspec.structs.replace(seen, phase=decision.phase)
    return msgspec.structs.replace(
        live,
        occupied=decision.occupied,
        count=decision.count,
        confidence=decision.confidence,
        meeting=decision.meeting,
        phase=decision.phase,
        intent=decision.intent,
        meetings=meetings,
    )


def _keys(meetings: dict[str, Seen], uid: str) -> list[str]:
    """The instances of a series share a uid: a note is believed where it can mean one alone."""
    found = [key for key in meetings if key.rpartition("/")[0] == uid]
    return found if len(found) == 1 else []
