"""What hands set at a device itself, apart from what follows, rounds, bounces, is stale. Pure.

A report that differs from the command is a person's when the device had agreed with the command
for a while, and still differs a moment later. Everything else is the driver's to bring in line.
"""

import math
from collections.abc import Mapping, Sequence

from edge.contracts.base import Frozen, Now, Value
from edge.contracts.commands import Command, Proposal
from edge.contracts.gating import GateMemory, GateRule, rule_of
from edge.contracts.signals import Booted, DeviceReported, Signal, SourceChanged
from edge.fusion.state import RoomState

DEVICE = "device:"
SETTLE_S = 5.0
"""A fade, a slow valve and what a broker had kept are over by then."""
BOUNCE_S = 0.5
ROUNDING = 0.02
"""Part of its range within which a device has followed: valves know half degrees only."""
LIMIT = 1e9


class Stance(Frozen, frozen=True):
    """How a device stands to the commanded `value`: monotonic instants since when it agrees, and
    since when it differs although it had settled; `source`: who said so."""

    value: Value
    agreed: float | None = None
    differs: float | None = None
    source: str = ""


Stances = dict[str, Stance]
"""Actuator -> how its device stands to its last command."""


def watch(
    stances: Stances,
    signal: Signal,
    room: RoomState,
    given: Mapping[str, Command],
    rules: Sequence[GateRule],
    now: Now,
) -> tuple[Stances, dict[str, Stance]]:
    """Return the stances after `signal`, and by actuator what was set by hand at its device."""
    if _doubtful(signal):
        stances = {}
    after: Stances = {}
    hands: dict[str, Stance] = {}
    for actuator, command in given.items():
        said, rule = room.reported.get(actuator), rule_of(rules, actuator)
        if said is None or rule is None or command.priority == "safety":
            continue
        before = stances.get(actuator)
        if before is None or before.value != command.value:
            before = Stance(command.value)
        said = spoken(said, rule)
        if near(said, command.value, rule):
            agreed = now.mono if before.agreed is None else before.agreed
            after[actuator] = Stance(command.value, agreed)
        elif before.differs is not None and now.mono >= before.differs + BOUNCE_S:
            # What a hand has set stands at once: the same hand may change its mind.
            after[actuator] = Stance(said, now.mono - SETTLE_S)
            hands[actuator] = Stance(said, source=before.source)
        else:
            after[actuator] = _differing(before, actuator, command, signal, now)
    return after, hands


def proposals(hands: Mapping[str, Stance], hold_s: float, ident: str, now: Now) -> list[Proposal]:
    """Return what was set by hand as leases of that hand."""
    until = now.mono + hold_s
    reason = "set at the device"
    return [
        Proposal(actuator, hand.value, until, hand.source, "manual", ident, reason)
        for actuator, hand in hands.items()
    ]


def remembered(
    memory: Mapping[str, GateMemory], hands: Mapping[str, Stance], now: Now
) -> dict[str, GateMemory]:
    """Return what the gate remembers: the device is where the hand has put it."""
    after = dict(memory)
    for actuator, hand in hands.items():
        known = after.get(actuator)
        changes = () if known is None else known.changes
        after[actuator] = GateMemory(hand.value, (*changes, now.mono))
    return after


def next_due(stances: Mapping[str, Stance]) -> float:
    """Return the monotonic instant at which a difference has lasted long enough."""
    instants = (s.differs + BOUNCE_S for s in stances.values() if s.differs is not None)
    return min(instants, default=math.inf)


def spoken(said: Value, rule: GateRule) -> Value:
    """Return a report in the words of the actuator: a switch says true, its rule may say on."""
    if not isinstance(said, bool):
        return said
    if rule.values:
        return "on" if said else "off"
    return int(said)


def near(said: Value, wanted: Value, rule: GateRule) -> bool:
    """Return whether a device that says so has followed."""
    wanted = spoken(wanted, rule)
    if isinstance(said, str) or isinstance(wanted, str):
        return said == wanted
    if not abs(said) < LIMIT:
        return False
    return abs(said - wanted) <= ROUNDING * (rule.high - rule.low)


def _differing(before: Stance, actuator: str, command: Command, signal: Signal, now: Now) -> Stance:
    if before.agreed is None or before.differs is not None:
        return before
    settled = now.mono >= before.agreed + SETTLE_S
    heard = isinstance(signal, DeviceReported) and signal.actuator == actuator
    if not (settled and heard and isinstance(signal, DeviceReported)):
        return Stance(command.value)
    return Stance(command.value, before.agreed, now.mono, signal.source)


def _doubtful(signal: Signal) -> bool:
    """What devices said before a start, or before they or their broker were away, may be old."""
    if isinstance(signal, SourceChanged):
        return signal.source.startswith((DEVICE, "broker:room"))
    return isinstance(signal, Booted)
