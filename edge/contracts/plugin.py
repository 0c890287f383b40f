"""The plugin call: `handle(string) -> string`, JSON both ways, schema-versioned.

A plugin is a function: what it may know comes in, what it learns goes out.
"""

from typing import Literal

import msgspec

from edge.contracts.base import Consent, Message, StrictMessage, Value
from edge.contracts.commands import PluginCommand

SCHEMA = 1
STATE_LIMIT = 16 * 1024

EventKind = Literal[
    "tick", "presence", "meeting", "intent", "reading", "device", "sound", "contact", "consent"
]


class PluginEvent(Message, frozen=True, omit_defaults=True):
    """One thing that happened, with the room as it was then.

    id: the journal row that caused it. meeting: none, pending, active; started: its time has come.
    targets: what the chosen intent asks of actuators; next_intent, next_targets: the same of the
    meeting that starts in minutes_to_next. readings: latest by quantity. reported: what devices
    say. contacts: `window` and `door`, true while any of them is open. counted: a camera counts.
    sound_db: dBFS; clipped: share of samples at full scale. sun_*: degrees, azimuth clockwise from
    north. local_hour: 0 to 24 in the room's time zone, weekday 0 is Monday, -1 while the clock is
    not trusted. Missing means unknown.
    """

    id: str
    kind: EventKind
    occupied: bool = False
    probability: float = 0.0
    count: int = 0
    meeting: Literal["none", "pending", "active"] = "none"
    minutes_to_next: float = -1.0
    intent: str = ""
    targets: dict[str, Value] = msgspec.field(default_factory=dict)
    readings: dict[str, float] = msgspec.field(default_factory=dict)
    reported: dict[str, Value] = msgspec.field(default_factory=dict)
    started: bool = False
    counted: bool = False
    consent: Consent = "all"
    minutes_to_end: float = -1.0
    next_intent: str = ""
    next_targets: dict[str, Value] = msgspec.field(default_factory=dict)
    contacts: dict[str, bool] = msgspec.field(default_factory=dict)
    sound_db: float | None = None
    voice: float | None = None
    clipped: float | None = None
    sun_azimuth: float | None = None
    sun_elevation: float | None = None
    local_hour: float = -1.0
    weekday: int = -1


class PluginInput(Message, frozen=True, omit_defaults=True):
    """What the host hands in. `now`: wall seconds; `seed`: the only chance a plugin gets."""

    events: tuple[PluginEvent, ...]
    now: float
    seed: int
    schema: int = SCHEMA
    state: str = ""
    settings: dict[str, Value] = msgspec.field(default_factory=dict)


class PluginOutput(StrictMessage, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a plugin hands back: commands, each naming the event it answers, and its new state."""

    commands: tuple[PluginCommand, ...] = ()
    state: str = ""
    schema: int = SCHEMA


output_decoder = msgspec.json.Decoder(PluginOutput)
input_encoder = msgspec.json.Encoder()
