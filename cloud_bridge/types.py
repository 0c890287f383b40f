"""What the plan, the reconciler and the providers share: machines, templates, attempts, actions."""

from dataclasses import dataclass
from typing import Literal

from edge.contracts.wire import MachinePhase, WantedMachine

Phase = Literal["creating", "booting", "ready", "ending", "dead"]
"""creating: asked of the provider, not seen yet; ending: its end was asked for; dead: it ended
by itself or was recorded and is not there. Only booting and ready machines run for certain."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a machine is made of. Times: seconds.

    lead_s: how long before a meeting it is begun; grace_s: how long it outlives the lease;
    boot_s: after this long without an answer the attempt has failed.
    """

    name: str
    memory_mib: int
    vcpus: int = 1
    lead_s: float = 300.0
    grace_s: float = 300.0
    boot_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that exists or is about to.

    rooms: for whom it was made; until: end of its lease, wall seconds, grace not included;
    created: wall seconds; ours: it carries our tag (nothing else is ever touched).
    """

    key: str
    meeting: str
    rooms: tuple[str, ...]
    template: str
    phase: Phase
    until: float
    created: float
    memory_mib: int
    grace_s: float = 300.0
    address: str = ""
    token: str = ""
    ours: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of earlier attempts at one key.

    not_before: wall seconds; given_up: a dead letter, left until a person retries it.
    """

    key: str
    attempts: int
    not_before: float
    given_up: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a provider may hold. memory_mib: of all guests together; boots: at once."""

    memory_mib: int
    boots: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Every room's last snapshot. rooms: those that sent one; the others' machines are kept."""

    rooms: frozenset[str]
    rows: tuple[tuple[str, WantedMachine], ...]


@dataclass(frozen=True, slots=True)
class Create:
    """Legal when no machine has the key, its time has come, and memory and a boot slot are free."""

    key: str
    meeting: str
    rooms: tuple[str, ...]
    template: Template
    until: float
    title: str = ""


@dataclass(frozen=True, slots=True)
class Renew:
    """Legal when a machine of ours is wanted until another instant than its lease says."""

    key: str
    until: float


@dataclass(frozen=True, slots=True)
class Delete:
    """Legal for a machine of ours that is unwanted, past lease and grace, dead, or never ready.

    failed: the attempt counts against the key.
    """

    key: str
    reason: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Legal once, when the attempts at a wanted key are used up: the key becomes a dead letter."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Forget:
    """Legal when attempts are kept for a key that nobody wants and no machine has."""

    key: str


Action = Create | Renew | Delete | GiveUp | Forget


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one machine of one room stands, for the room to show. until: wall seconds."""

    room: str
    key: str
    meeting: str
    template: str
    phase: MachinePhase
    until: float
    address: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, what to tell the rooms, and the wall instant of the next change by itself."""

    actions: tuple[Action, ...]
    standings: tuple[Standing, ...]
    next_due: float
