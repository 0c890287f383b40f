"""Who claims what in a step, and whose claims count: wishes, hands at devices, modes. Pure."""

from collections.abc import Sequence

from edge.contracts.base import Frozen, Now
from edge.contracts.commands import Proposal, Verdict
from edge.contracts.gating import GateMemory
from edge.contracts.signals import Booted, Signal
from edge.decide import devices, leases, modes, pause
from edge.decide.arbiter import Holdings
from edge.decide.core import CoreSettings, CoreState
from edge.decide.devices import Stances
from edge.decide.leases import Wanted
from edge.decide.modes import View
from edge.decide.pause import Pause
from edge.decide.proposals import propose
from edge.fusion.state import RoomState


class Claims(Frozen, frozen=True):
    """held: every lease; standing: those that count now; the rest becomes the state after."""

    held: Holdings
    standing: Holdings
    memory: dict[str, GateMemory]
    stances: Stances
    pause: Pause | None
    modes: tuple[str, ...]
    quarantined: dict[str, str]
    refused: tuple[Verdict, ...]


def claims(
    state: CoreState,
    signal: Signal,
    ident: str,
    room: RoomState,
    lasting: Sequence[Proposal],
    wanted: Wanted,
    settings: CoreSettings,
    broken: str,
    now: Now,
) -> Claims:
    """Return the claims after `signal`. lasting: what the schedule wants; broken: of the policy."""
    asked, refused = propose(signal, ident, settings.plugins, now)
    stances, hands = devices.watch(state.stances, signal, room, state.given, settings.gate, now)
    if not room.journaled:
        hands = {}  # The driver sets them back: what a person wants waits until it is durable.
    by_hand = devices.proposals(hands, settings.hold_s, ident, now)
    paused = pause.step(state.pause, signal, ident, now)
    quarantined = modes.quarantine(state.quarantined, signal)
    held = leases.hold(state.holdings, signal, ((*asked, *by_hand), lasting), wanted, now)
    held = pause.hold(held, state.pause, paused, state.given)
    held = modes.without(held, quarantined)
    lost = modes.lost(room.sources)
    names = modes.active(View(room, settings.fusion, paused, broken, quarantined, lost, now))
    return Claims(
        held=held,
        # Before the clock and the sources have spoken, a start would only flicker.
        standing={} if isinstance(signal, Booted) else modes.standing(held, names),
        memory=devices.remembered(leases.without_gone(state.gate, wanted), hands, now),
        stances=stances,
        pause=paused,
        modes=names,
        quarantined=quarantined,
        refused=(*refused, *pause.refused(signal)),
    )
