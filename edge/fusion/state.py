"""RoomState: everything the room knows about itself at one instant."""

from dataclasses import dataclass

import msgspec

from edge.contracts.base import Consent, Frozen, Value
from edge.contracts.signals import Health, Meeting
from edge.contracts.wire import MachineReport


class Reading(Frozen, frozen=True):
    """A value, where it came from and the monotonic instant it was heard."""

    value: float
    source: str
    at: float


READING_STALE_S = 90.0
"""How old a sensor board's reading may be before it says nothing."""

MOVING, CEASED, STILL = 1.0, 0.5, 0.0
"""What a motion sensor says: it sees motion, it did until `at`, it has not seen any."""


class Evidence(Frozen, frozen=True):
    """What one source says of presence: log-odds (positive: somebody) and in words.

    kind: camera, voice, motion or air; sources of one kind are not independent of each other.
    """

    source: str
    odds: float
    says: str
    kind: str = ""


class Presence(Frozen, frozen=True):
    """Whether anybody is in the room.

    probability of presence; count: people seen (0 when no camera says); counted: whether a camera
    says; confidence 0..1: how much
    of the evidence that could be there is fresh and how much it agrees; known: any evidence is
    fresh; since: wall seconds of the last change of `occupied`; leaving: monotonic instant at
    which the evidence first spoke for an empty room, None while it does not.
    """

    occupied: bool = False
    probability: float = 0.5
    count: int = 0
    confidence: float = 0.0
    known: bool = False
    since: float = 0.0
    leaving: float | None = None
    evidence: tuple[Evidence, ...] = ()
    counted: bool = False


class SourceState(Frozen, frozen=True):
    """The health of one source and since when (wall seconds)."""

    health: Health
    reason: str
    since: float
    errors: int = 0


class RoomState(Frozen, frozen=True):
    """The room at one instant. Mappings are replaced, never changed.

    contacts: source -> opening -> whether it is open, as long as the source can tell.
    """

    presence: Presence = Presence()
    people: Reading | None = None
    level: Reading | None = None
    voice: Reading | None = None
    clipped: Reading | None = None
    estimate: Reading | None = None
    motion: dict[str, Reading] = msgspec.field(default_factory=dict)
    readings: dict[str, Reading] = msgspec.field(default_factory=dict)
    contacts: dict[str, dict[str, bool]] = msgspec.field(default_factory=dict)
    sources: dict[str, SourceState] = msgspec.field(default_factory=dict)
    meetings: tuple[Meeting, ...] = ()
    calendar_at: float | None = None
    machines: tuple[MachineReport, ...] = ()
    reported: dict[str, Value] = msgspec.field(default_factory=dict)
    consent: Consent = "all"
    clock_trusted: bool = False

    @property
    def journaled(self) -> bool:
        """Whether what is decided becomes durable; while not, only the safe schedule acts."""
        journal = self.sources.get("journal")
        return journal is None or journal.health != "lost"


@dataclass(frozen=True, slots=True)
class FusionRules:
    """When evidence counts and when presence changes. Seconds and probabilities.

    A reading older than its `*_stale_s` is no evidence. Presence begins at `enter`; it ends when
    the probability has been at most `leave` for `hold_s`.
    """

    enter: float = 0.7
    leave: float = 0.3
    hold_s: float = 60.0
    people_stale_s: float = 10.0
    voice_stale_s: float = 20.0
    motion_stale_s: float = 120.0
    estimate_stale_s: float = 30.0
