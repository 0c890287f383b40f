"""Paused automation: a person's lease on everything the room moves. Pure.

What is given stays, held by hand; plugins and schedule go on proposing and nothing comes of it
until the pause lapses or is lifted. Safety acts, and what people set by hand.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from edge.contracts.base import Frozen, Now
from edge.contracts.commands import Command, Proposal, Verdict
from edge.contracts.signals import OperatorAsked, Signal
from edge.decide.arbiter import Holdings
from edge.decide.proposals import LEASE_LIMIT_S
from edge.decide.schedule import VM

PAUSE = "pause:"
PAUSE_S = 3600.0


class Pause(Frozen, frozen=True):
    """Until when (monotonic and wall seconds), who asked, and the id of the row that says so."""

    until: float
    wall: float
    who: str
    cause: str


def step(pause: Pause | None, signal: Signal, ident: str, now: Now) -> Pause | None:
    """Return the pause after `signal`: taken, renewed, lifted, lapsed or as it was."""
    if isinstance(signal, OperatorAsked) and signal.verb == "resume":
        return None
    if isinstance(signal, OperatorAsked) and signal.verb == "pause" and _sensible(signal):
        seconds = signal.seconds or PAUSE_S
        return Pause(now.mono + seconds, now.wall + seconds, signal.who, ident)
    return pause if pause is not None and pause.until > now.mono else None


def refused(signal: Signal) -> tuple[Verdict, ...]:
    """Return the refusal of a pause of no sensible length."""
    if not isinstance(signal, OperatorAsked) or signal.verb != "pause" or _sensible(signal):
        return ()
    reason = f"a pause lasts up to {LEASE_LIMIT_S:.0f} s"
    return (Verdict("*", f"person:{signal.who}", False, "policy", "lease", "pause", reason),)


def rebased(pause: Pause | None, now: Now) -> Pause | None:
    """Return the pause after a restart: what the wall clock has left of it."""
    if pause is None or not 0 < pause.wall - now.wall <= LEASE_LIMIT_S:
        return None
    return replace(pause, until=now.mono + pause.wall - now.wall)


def hold(
    held: Holdings, before: Pause | None, after: Pause | None, given: Mapping[str, Command]
) -> Holdings:
    """Return the leases, with what is given held by hand from the instant a pause begins."""
    if before == after:
        return held
    kept = {key: p for key, p in held.items() if not p.source.startswith(PAUSE)}
    if after is None:
        return kept
    source = f"{PAUSE}{after.who}"
    for actuator, command in given.items():
        if actuator.startswith(VM):
            continue
        kept[f"{actuator}|{source}"] = Proposal(
            actuator, command.value, after.until, source, "manual", after.cause,
            "automation is paused",
        )  # fmt: skip
    return kept


def _sensible(signal: OperatorAsked) -> bool:
    return 0 <= signal.seconds <= LEASE_LIMIT_S
