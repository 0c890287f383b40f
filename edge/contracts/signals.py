"""Signals: everything the room learns, as one closed union.

A *level* (latest wins, thinned to one a second) may overwrite its unread predecessor; an *edge* is
never dropped. Impure work (models, plugins, calendar, service) comes back as a signal too, so that
a recorded journal holds everything a decision rested on.
"""

from typing import Literal

import msgspec

from edge.contracts.base import Message, Value
from edge.contracts.commands import PluginCommand
from edge.contracts.wire import MachineReport

Quantity = Literal["temperature", "humidity", "co2", "illuminance"]
Opening = Literal["window", "door"]
Health = Literal["ok", "degraded", "lost"]
OperatorVerb = Literal[
    "check_in", "extend", "end", "book", "set", "release", "consent", "pause", "resume", "keep",
    "machine", "connect",
]  # fmt: skip

QUANTITY_RANGE: dict[Quantity, tuple[float, float, str]] = {
    "temperature": (-40.0, 85.0, "°C"),
    "humidity": (0.0, 100.0, "%"),
    "co2": (250.0, 10_000.0, "ppm"),
    "illuminance": (0.0, 120_000.0, "lx"),
}
"""Physical range and unit of what a sensor board reports; outside is a fault, not a reading."""


class Meeting(Message, frozen=True, omit_defaults=True):
    """One instance of a calendar event as the room sees it. Times: seconds since 1970 UTC."""

    uid: str
    start: float
    end: float
    recurrence_id: str = ""
    title: str = ""
    organiser: str = ""
    categories: tuple[str, ...] = ()
    cancelled: bool = False
    tentative: bool = False
    private: bool = False
    all_day: bool = False
    href: str = ""
    etag: str = ""

    @property
    def key(self) -> str:
        """The instance's identity inside the room's calendar; survives a move."""
        return f"{self.uid}/{self.recurrence_id}"


class Booted(Message, frozen=True, omit_defaults=True, tag="booted"):
    """Edge. The process started: everything volatile (ages, dwell) begins anew."""

    source: str
    boot: int
    config_hash: str


class Woke(Message, frozen=True, omit_defaults=True, tag="woke"):
    """Edge. A pure part had asked to be called at this instant."""

    source: str = "clock"


class ClockChecked(Message, frozen=True, omit_defaults=True, tag="clock"):
    """Edge. Whether wall-clock time may be believed, and why."""

    source: str
    trusted: bool
    reason: str = ""


class PeopleCounted(Message, frozen=True, omit_defaults=True, tag="people"):
    """Level. People in the latest camera frame; `score` is the weakest counted detection's."""

    source: str
    count: int
    score: float = 0.0


class SoundMeasured(Message, frozen=True, omit_defaults=True, tag="sound"):
    """Level. Over the last second: level in dBFS (<= 0), highest probability of speech.

    clipped: share (0..1) of the samples that were at full scale.
    """

    source: str
    level_db: float
    voice: float
    clipped: float = 0.0


class NodeReading(Message, frozen=True, omit_defaults=True, tag="reading"):
    """Level. One quantity of a sensor board, in the unit of QUANTITY_RANGE."""

    source: str
    quantity: Quantity
    value: float


class MotionChanged(Message, frozen=True, omit_defaults=True, tag="motion"):
    """Edge. A passive infrared sensor began or ceased to see motion.

    with_next: in a crowd of such edges the room decides once for this and the one that follows.
    with_answer: it decides on this when the plugins that heard of it have answered, at once when
    none hears. Both: unless somebody comes or leaves; plugins hear of each.
    """

    source: str
    active: bool
    with_next: bool = False
    with_answer: bool = False


class ContactChanged(Message, frozen=True, omit_defaults=True, tag="contact"):
    """Edge. A contact of a sensor board opened or closed; the first word of a board counts too."""

    source: str
    opening: Opening
    open: bool


class OccupancyEstimated(Message, frozen=True, omit_defaults=True, tag="occupancy"):
    """Level. The occupancy model's output: probability that anybody is in the room."""

    source: str
    probability: float
    model: str
    inputs: tuple[str, ...] = ()


class CalendarRead(Message, frozen=True, omit_defaults=True, tag="calendar"):
    """Edge. The whole window of the room's calendar, which replaces what was known."""

    source: str
    meetings: tuple[Meeting, ...]
    version: str = ""
    skipped: int = 0


class CalendarWritten(Message, frozen=True, omit_defaults=True, tag="calendar_written"):
    """Edge. What became of a calendar write: `conflict` is decided again on the next read."""

    source: str
    command: str
    outcome: Literal["ok", "conflict", "failed"]
    detail: str = ""


class SourceChanged(Message, frozen=True, omit_defaults=True, tag="health"):
    """Edge. A source (microphone, broker, plugin, model, ...) changed its health."""

    source: str
    health: Health
    reason: str = ""
    errors: int = 0


class DeviceReported(Message, frozen=True, omit_defaults=True, tag="device"):
    """Edge. A device told its state; `value` in the actuator's own unit."""

    source: str
    actuator: str
    value: Value


class PluginAnswered(Message, frozen=True, omit_defaults=True, tag="plugin"):
    """Edge. A plugin's answer to a batch of events; `state` replaces its kept state.

    state_version: what its manifest declares; kept state of another version is not handed in.
    said: what it logged meanwhile ("level: text"), a bounded part of it.
    """

    source: str
    events: tuple[str, ...]
    commands: tuple[PluginCommand, ...] = ()
    state: str = ""
    state_version: int = 1
    said: tuple[str, ...] = ()


class PluginFailed(Message, frozen=True, omit_defaults=True, tag="plugin_failed"):
    """Edge. A plugin trapped, overran a limit or answered nonsense; the batch is answered so."""

    source: str
    events: tuple[str, ...]
    reason: str
    quarantined: bool = False
    said: tuple[str, ...] = ()


class MachineChanged(Message, frozen=True, omit_defaults=True, tag="machine"):
    """Edge. The service's retained report on the room's machines."""

    source: str
    machines: tuple[MachineReport, ...]


class OperatorAsked(Message, frozen=True, omit_defaults=True, tag="operator"):
    """Edge. A person asked for something at the panel; `who` is a role, never a name.

    value: what an actuator is set to; of book and machine the machine's template; of connect the
    seal of the code that was shown. start: of book, wall seconds, 0 for now.
    """

    source: str
    verb: OperatorVerb
    who: str = "panel"
    meeting: str = ""
    actuator: str = ""
    value: Value = ""
    seconds: float = 0.0
    title: str = ""
    start: float = 0.0


Signal = (
    Booted
    | Woke
    | ClockChecked
    | PeopleCounted
    | SoundMeasured
    | NodeReading
    | MotionChanged
    | ContactChanged
    | OccupancyEstimated
    | CalendarRead
    | CalendarWritten
    | SourceChanged
    | DeviceReported
    | PluginAnswered
    | PluginFailed
    | MachineChanged
    | OperatorAsked
)

Level = PeopleCounted | SoundMeasured | NodeReading | OccupancyEstimated


def level_slot(signal: Signal) -> str | None:
    """Return the slot a level overwrites, or None for an edge."""
    if not isinstance(signal, Level):
        return None
    return (
        f"{signal.source}/{signal.quantity}" if isinstance(signal, NodeReading) else signal.source
    )


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: msgspec.json.Decoder[Signal] = msgspec.json.Decoder(Signal)


def encode_signal(signal: Signal) -> bytes:
    """Return the signal as JSON, the same bytes for the same value."""
    return _encoder.encode(signal)


def decode_signal(data: bytes) -> Signal:
    """Return the signal in `data`; raise msgspec.ValidationError when it is none."""
    return _decoder.decode(data)
