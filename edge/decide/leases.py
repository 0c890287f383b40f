"""The leases of a room over time: taken, kept, lapsed, carried over a restart. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from edge.contracts.base import Now
from edge.contracts.commands import Proposal
from edge.contracts.signals import OperatorAsked, Signal
from edge.contracts.wire import WantedMachine
from edge.decide import arbiter, pause
from edge.decide.award import SCHEDULE_LEASE_S, Award
from edge.decide.core import CoreState
from edge.decide.intents import Intent
from edge.decide.pause import PAUSE
from edge.decide.schedule import SOURCE, VM

T = TypeVar("T")
Wanted = Mapping[str, tuple[WantedMachine, Intent]]
"""Actuator of the class `vm` -> the machine a meeting wants, and the intent that says so."""


def rebased(state: CoreState, now: Now) -> CoreState:
    """Monotonic instants do not survive a restart: leases keep what the wall clock left of them."""
    held = {}
    for key, proposal in state.holdings.items():
        last = state.given.get(proposal.actuator)
        known = last is not None and last.source == proposal.source
        left = last.until - now.wall if known and last is not None else 0.0
        if proposal.priority == "schedule":
            held[key] = proposal
        elif proposal.priority == "manual" and 0 < left <= 24 * 3600:
            held[key] = replace(proposal, until=now.mono + left)
    # Drivers started empty: whatever was given is given again.
    gate = {a: replace(m, changes=(now.mono,)) for a, m in state.gate.items()}
    paused = pause.rebased(state.pause, now)
    return replace(
        state, holdings=held, gate=gate, given={}, ticked={}, published=False, retry_at=1e15,
        pause=paused, stances={},
    )  # fmt: skip


def hold(
    holdings: arbiter.Holdings,
    signal: Signal,
    proposals: tuple[Sequence[Proposal], Sequence[Proposal]],
    wanted: Wanted,
    now: Now,
) -> arbiter.Holdings:
    """Return the leases after this step: new wishes, standing ones, none that lapsed or is gone."""
    fresh, lasting = proposals
    held = arbiter.hold(arbiter.expire(holdings, now.mono), fresh)
    if isinstance(signal, OperatorAsked) and signal.verb == "release":
        held = _released(held, signal.actuator)
    held = arbiter.hold(held, _new(held, lasting))
    gone = [p for p in held.values() if p.actuator.startswith(VM) and p.actuator not in wanted]
    for proposal in gone:
        held = arbiter.drop(held, proposal.actuator, proposal.source)
    return held


def _released(held: arbiter.Holdings, actuator: str) -> arbiter.Holdings:
    """Return the leases without what hands set, at the panel and at the device; a pause stands."""
    return {
        key: p
        for key, p in held.items()
        if p.actuator != actuator or p.priority != "manual" or p.source.startswith(PAUSE)
    }


def _new(held: arbiter.Holdings, proposals: Sequence[Proposal]) -> list[Proposal]:
    """Leave a standing wish alone: its cause stays the signal that first brought it."""
    new = []
    for proposal in proposals:
        last = held.get(arbiter.lease_key(proposal))
        if last is None or (last.value, last.reason) != (proposal.value, proposal.reason):
            new.append(proposal)
    return new


def without_hopeless(held: arbiter.Holdings, result: Award) -> arbiter.Holdings:
    """Drop what cannot pass: asking again is answered again. The schedule stands."""
    if not result.hopeless:
        return held
    return {
        key: proposal
        for key, proposal in held.items()
        if key not in result.hopeless or proposal.priority == "schedule"
    }


def without_gone(known: dict[str, T], wanted: Wanted) -> dict[str, T]:
    """Return what is known of actuators, without that of machines nobody wants any more."""
    return {a: x for a, x in known.items() if not a.startswith(VM) or a in wanted}


def renewals(state: CoreState, now: Now) -> float:
    """The instant at which two thirds of a schedule lease are used.

    One that has passed is not asked for again: what could be renewed, was.
    """
    dues = [
        c.until - SCHEDULE_LEASE_S / 3
        for c in state.given.values()
        if c.source == SOURCE and not c.actuator.startswith(VM)
    ]
    return now.mono + min((at for at in dues if at > now.wall), default=math.inf) - now.wall
