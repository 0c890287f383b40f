"""What the plan, the reconciler and the providers share: machines, templates, attempts, actions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from edge.contracts.wire import MachinePhase, WantedMachine

Phase = Literal["creating", "booting", "ready", "ending", "dead"]
"""creating: asked of the provider, not seen yet; ending: its end was asked for; dead: it ended
by itself or was recorded and is not there. Only booting and ready machines run for certain."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a machine is made of. Times: seconds.

    lead_s: how long before a meeting it is begun until boots were measured; grace_s: how long it
    outlives the lease; boot_s: after this long without an answer the attempt has failed;
    cost_per_hour: in the operator's own money; approve_above: a machine that costs more for its
    whole time waits for a person's yes (0: each one).
    """

    name: str
    memory_mib: int
    vcpus: int = 1
    lead_s: float = 300.0
    grace_s: float = 300.0
    boot_s: float = 120.0
    gpus: int = 0
    cost_per_hour: float = 0.0
    approve_above: float = float("inf")


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that exists or is about to.

    rooms: for whom it was made; until: end of its lease, wall seconds, grace not included;
    created: wall seconds; ours: it carries our tag (nothing else is ever touched); screen: the unix
    socket of its VNC, "" when it has no screen.
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
    screen: str = ""


ABANDONED = "abandoned by"
"""So begins the reason of a dead letter that a person wants nothing more of."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a machine was seen to use. Times: wall seconds.

    token: which machine of the key; cpu: of one core since the look before, -1 at the first;
    memory_mib: of the host; network: bytes, -1 where nobody counts; idle_since: 0 while it works.
    """

    key: str
    token: str
    at: float
    created: float
    cpu: float
    memory_mib: int
    network: int
    idle_since: float
    cost_per_hour: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of earlier attempts at one key.

    not_before: wall seconds; given_up: a dead letter, left until a person retries or abandons it.
    """

    key: str
    attempts: int
    not_before: float
    given_up: bool = False
    reason: str = ""

    @property
    def abandoned(self) -> bool:
        """Whether a person wants nothing more of it."""
        return self.given_up and self.reason.startswith(ABANDONED)


@dataclass(frozen=True, slots=True)
class Pool:
    """Failures of one template's machines in a row, since one answered.

    not_before: wall seconds.
    """

    template: str
    failures: int
    not_before: float
    reason: str = ""


ApprovalState = Literal["asked", "granted", "denied", "lapsed"]


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's answer about one key, or the question. Times: wall seconds.

    template, cost: what it was asked about; a yes is for no other and for nothing dearer.
    lapsed: nobody answered before `deadline`, which is a no that a person may still turn.
    """

    key: str
    state: ApprovalState
    deadline: float
    who: str = ""
    reason: str = ""
    template: str = ""
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a provider may hold. memory_mib: of all guests together; boots: at once.

    vcpus: of all guests together, 0 for any; per_owner: machines of one organiser, 0 for any.
    """

    memory_mib: int
    boots: int
    vcpus: int = 0
    gpus: int = 0
    per_owner: int = 0


@dataclass(frozen=True, slots=True)
class Records:
    """What was written down that a plan rests on.

    boots: template -> measured seconds from request to answer, of late; heard: key -> wall
    instant at which it was first wanted: who came first is admitted first; pools: templates
    whose last machine failed.
    """

    attempts: tuple[Attempt, ...] = ()
    approvals: tuple[Approval, ...] = ()
    boots: Mapping[str, Sequence[float]] = field(default_factory=dict)
    heard: Mapping[str, float] = field(default_factory=dict)
    pools: tuple[Pool, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Ask:
    """Legal once for a wanted key that costs more than goes without asking."""

    key: str
    deadline: float
    meeting: str
    template: str
    cost: float


@dataclass(frozen=True, slots=True)
class Lapse:
    """Legal when a question was not answered before its deadline."""

    key: str


Action = Create | Renew | Delete | GiveUp | Forget | Ask | Lapse


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one machine of one room stands, for the room to show. until: wall seconds.

    When refused for want of room: next_start, an instant at which it would fit (0: none found);
    smaller: a template that fits ("": none).
    """

    room: str
    key: str
    meeting: str
    template: str
    phase: MachinePhase
    until: float
    address: str = ""
    detail: str = ""
    next_start: float = 0.0
    smaller: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, what to tell the rooms, and the wall instant of the next change by itself."""

    actions: tuple[Action, ...]
    standings: tuple[Standing, ...]
    next_due: float
