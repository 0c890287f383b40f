"""The state of all pure parts together, and the settings they are called with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from edge.contracts.base import Frozen, Value
from edge.contracts.commands import CalendarWrite, Command
from edge.contracts.decision import Decision
from edge.contracts.gating import GateMemory, GateRule
from edge.contracts.wire import WantedMachine, WantedMessage
from edge.decide.arbiter import Holdings
from edge.decide.codes import Codes
from edge.decide.devices import Stances
from edge.decide.events import Call, Told
from edge.decide.intents import Intent
from edge.decide.pause import Pause
from edge.decide.promises import Starts
from edge.decide.proposals import MANUAL_HOLD_S, PluginRules
from edge.decide.sky import Place
from edge.fusion.state import FusionRules, RoomState
from edge.meetings.life import Lives, MeetingRules

ANSWER_S = 0.25
"""What waits for a plugin's answer is decided without it after so long: one still to be loaded."""


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """Everything that decides besides the signals; journaled at each start, so replay has it.

    fallbacks: actuator -> its value at rest. policy: Cedar text. hold_s: how long what hands set at
    a device holds. costs: template -> what its machine costs an hour, in the organisation's
    currency.
    """

    room: str
    organisation: str
    intents: tuple[Intent, ...]
    fallbacks: Mapping[str, Value]
    gate: tuple[GateRule, ...]
    policy: str
    meetings: MeetingRules = field(default_factory=MeetingRules)
    fusion: FusionRules = field(default_factory=FusionRules)
    plugins: Mapping[str, PluginRules] = field(default_factory=dict)
    share_titles: bool = False
    hold_s: float = MANUAL_HOLD_S
    place: Place = field(default_factory=Place)
    costs: Mapping[str, float] = field(default_factory=dict)


class Undecided(Frozen, frozen=True):
    """What waits for its decision. room: at the last one; since: when the first of it was heard.

    with_next: it is due at once, with the next edge; else with an answer, or after ANSWER_S.
    """

    room: RoomState
    since: float
    with_next: bool

    def due(self, mono: float) -> float:
        """Return the monotonic instant at which the decision is due, seen from `mono`."""
        return mono if self.with_next else max(mono, self.since + ANSWER_S)


class CoreState(Frozen, frozen=True):
    """All that the loop owns. given: the command an actuator last got; denied: who was refused.

    wanted: the machines of the latest snapshot; published: since this start; plugin_state: what
    each plugin keeps, plugin_state_version: and which form of it that is; stances: how devices
    stand to their commands; modes: the fallbacks in force; quarantined: plugins that are shut out,
    and why; starts: of meetings that promise something; codes: those that open a machine now;
    undecided: what was heard since the last decision waits for the next.
    """

    room: RoomState = msgspec.field(default_factory=RoomState)
    lives: Lives = msgspec.field(default_factory=dict)
    holdings: Holdings = msgspec.field(default_factory=dict)
    gate: dict[str, GateMemory] = msgspec.field(default_factory=dict)
    given: dict[str, Command] = msgspec.field(default_factory=dict)
    denied: dict[str, str] = msgspec.field(default_factory=dict)
    told: Told = msgspec.field(default_factory=Told)
    ticked: dict[str, float] = msgspec.field(default_factory=dict)
    plugin_state: dict[str, str] = msgspec.field(default_factory=dict)
    plugin_state_version: dict[str, int] = msgspec.field(default_factory=dict)
    wanted: tuple[WantedMachine, ...] = ()
    wanted_version: int = 0
    published: bool = False
    retry_at: float = 1e15
    stances: Stances = msgspec.field(default_factory=dict)
    pause: Pause | None = None
    modes: tuple[str, ...] = ()
    quarantined: dict[str, str] = msgspec.field(default_factory=dict)
    starts: Starts = msgspec.field(default_factory=dict)
    codes: Codes = msgspec.field(default_factory=dict)
    # Not by its own name: an earlier version kept something else under it.
    undecided: Undecided | None = msgspec.field(default=None, name="waiting")


class Outcome(Frozen, frozen=True):
    """What one step asks of the world. Commands, writes and wanted wait until it is journaled."""

    decision: Decision | None = None
    commands: tuple[Command, ...] = ()
    writes: tuple[CalendarWrite, ...] = ()
    calls: tuple[Call, ...] = ()
    wanted: WantedMessage | None = None
