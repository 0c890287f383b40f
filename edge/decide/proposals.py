"""Proposals from plugins and people: what their grants allow becomes a lease."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.contracts.base import Now, Value
from edge.contracts.commands import PluginCommand, Proposal, Verdict
from edge.contracts.signals import OperatorAsked, PluginAnswered, Signal

MANUAL_HOLD_S = 3600.0
LEASE_LIMIT_S = 24 * 3600.0
"""Longest lease anybody gets; a longer or negative one is refused."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a plugin's manifest lets it do to one actuator."""

    actuator: str
    low: float = 0.0
    high: float = 0.0
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PluginRules:
    """What the core needs to know of an installed plugin. `tick_s`: how often it is woken.

    version and settings decide nothing here: with them a recording holds all the plugin was given.
    """

    id: str
    events: tuple[str, ...]
    grants: tuple[Grant, ...]
    tick_s: float = 20.0
    version: str = ""
    settings: Mapping[str, Value] = field(default_factory=dict)


_LEASE = f"a lease lasts up to {LEASE_LIMIT_S:.0f} s"

Answer = tuple[tuple[Proposal, ...], tuple[Verdict, ...]]


def propose(signal: Signal, ident: str, plugins: Mapping[str, PluginRules], now: Now) -> Answer:
    """Return the leases this signal asks for and the refusals of what was never granted."""
    match signal:
        case PluginAnswered():
            return _plugin(signal, plugins.get(signal.source), now)
        case OperatorAsked(verb="set"):
            source = f"person:{signal.who}"
            if not 0 <= signal.seconds <= LEASE_LIMIT_S:
                return (), (_refused(signal, source, "lease", _LEASE),)
            until = now.mono + (signal.seconds or MANUAL_HOLD_S)
            wish = Proposal(
                signal.actuator, signal.value, until, source, "manual", ident, "set by hand"
            )
            return (wish,), ()
        case _:
            return (), ()


def _plugin(signal: PluginAnswered, rules: PluginRules | None, now: Now) -> Answer:
    leases: dict[str, Proposal] = {}
    refused: list[Verdict] = []
    grants = {} if rules is None else {grant.actuator: grant for grant in rules.grants}
    for command in signal.commands:
        wrong = _outside(command, grants.get(command.actuator))
        if wrong:
            refused.append(_refused(command, signal.source, "manifest", wrong))
            continue
        if not 0 < command.lease_s <= LEASE_LIMIT_S:
            refused.append(_refused(command, signal.source, "lease", _LEASE))
            continue
        leases[command.actuator] = Proposal(
            actuator=command.actuator,
            value=command.value,
            until=now.mono + command.lease_s,
            source=signal.source,
            priority="plugin",
            cause=command.event,
            reason=command.reason,
        )
    return tuple(leases.values()), tuple(refused)


def _refused(wish: PluginCommand | OperatorAsked, source: str, rule: str, why: str) -> Verdict:
    return Verdict(wish.actuator, source, False, "policy", rule, wish.value, why)


def _outside(command: PluginCommand, grant: Grant | None) -> str:
    if grant is None:
        return f"its manifest does not list {command.actuator}"
    if grant.values:
        return "" if command.value in grant.values else "its manifest does not list this value"
    if isinstance(command.value, bool | str) or not grant.low <= command.value <= grant.high:
        return f"its manifest allows {grant.low:g} to {grant.high:g}"
    return ""
