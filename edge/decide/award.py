"""From leases to commands: policy filters, the arbiter picks, the gate lets through. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from edge.contracts.base import Frozen, Now, Value
from edge.contracts.commands import Command, Priority, Proposal, Verdict
from edge.contracts.gating import GateAnswer, GateMemory
from edge.decide.arbiter import Holdings, lease_key, winners
from edge.decide.policy import Context, Policy

NEVER = 1e15
SCHEDULE_LEASE_S = 600.0
ROUNDING_S = 0.001


class GateCheck(Protocol):
    """The gate as the decision sees it."""

    def check(
        self,
        actuator: str,
        value: Value,
        priority: Priority,
        memory: GateMemory | None,
        mono: float,
        until: float = ...,
    ) -> GateAnswer:
        """Return what may go to the driver of a wish for `value`."""
        ...


@dataclass(slots=True)
class Award:
    """What came of the leases of one step.

    hopeless: keys of leases that the gate lets through at no time, and of what a person asked for
    and may not; retry_at: when a refused wish may pass the gate.
    """

    commands: list[Command] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    gate: dict[str, GateMemory] = field(default_factory=dict)
    given: dict[str, Command] = field(default_factory=dict)
    denied: dict[str, str] = field(default_factory=dict)
    hopeless: set[str] = field(default_factory=set)
    retry_at: float = NEVER


class Bench(Frozen, frozen=True, gc=True):
    """Who judges: the parsed policy, the gate, the context of each actuator, the lease's end.

    doubt: why a wish has too high an impact for what is known, "" when it has not.
    """

    policy: Policy
    gate: GateCheck
    context: Callable[[str], Context]
    until: Callable[[Proposal], float]
    doubt: Callable[[Proposal], str] = lambda _: ""


def award(
    holdings: Holdings,
    given: Mapping[str, Command],
    memory: Mapping[str, GateMemory],
    denied: Mapping[str, str],
    bench: Bench,
    ident: str,
    now: Now,
) -> Award:
    """Return the commands that follow from `holdings` and every refusal that is new."""
    result = Award(gate=dict(memory), given=dict(given))
    allowed: Holdings = {}
    for key, proposal in holdings.items():
        verdict = bench.policy.decide(proposal, bench.context(proposal.actuator))
        if verdict.allowed and (why := bench.doubt(proposal)):
            verdict = Verdict(
                proposal.actuator,
                proposal.source,
                False,
                "arbiter",
                "ensemble",
                proposal.value,
                why,
            )
        if verdict.allowed:
            allowed[key] = proposal
        else:
            _refuse(result, key, verdict, denied, proposal)
            if proposal.priority == "manual":
                result.hopeless.add(key)
    contested = winners(allowed)
    while contested:
        stuck = {
            winner.actuator: lease_key(winner)
            for winner in contested.values()
            if not _through_gate(result, winner, bench, denied, ident, now)
        }
        # What can never pass does not keep the actuator from whoever comes next.
        result.hopeless.update(stuck.values())
        allowed = {
            k: p for k, p in allowed.items() if p.actuator in stuck and k not in result.hopeless
        }
        contested = winners(allowed)
    return result


def _through_gate(
    result: Award,
    winner: Proposal,
    bench: Bench,
    denied: Mapping[str, str],
    ident: str,
    now: Now,
) -> bool:
    """Return whether the winner keeps its actuator: through the gate, or later perhaps."""
    actuator = winner.actuator
    last = result.given.get(actuator)
    until = bench.until(winner)
    if (
        last is not None
        and last.toward is None
        and not _news(last, winner, winner.value, until, now)
    ):
        return True
    answer = bench.gate.check(
        actuator, winner.value, winner.priority, result.gate.get(actuator), now.mono, winner.until
    )
    if not answer.passed or answer.memory is None:
        verdict = Verdict(
            actuator, winner.source, False, "gate", answer.rule, winner.value, answer.reason
        )
        _refuse(result, f"gate|{actuator}|{winner.source}", verdict, denied, winner)
        if answer.retry_at is None:
            return False
        result.retry_at = min(result.retry_at, answer.retry_at)
        return True
    result.gate[actuator] = answer.memory
    if answer.retry_at is not None:
        result.retry_at = min(result.retry_at, answer.retry_at)
    if last is None or _news(last, winner, answer.value, until, now):
        command = _command(winner, answer, until, f"{ident}.c{len(result.commands)}")
        result.given[actuator] = command
        result.commands.append(command)
    return True


def _command(winner: Proposal, answer: GateAnswer, until: float, ident: str) -> Command:
    on_its_way = answer.rule in ("step", "deadband")
    return Command(
        id=ident,
        actuator=winner.actuator,
        value=answer.value,
        until=until,
        source=winner.source,
        priority=winner.priority,
        cause=winner.cause,
        reason="; ".join(filter(None, (winner.reason, answer.reason))),
        toward=winner.value if on_its_way else None,
    )


def _news(last: Command, winner: Proposal, value: Value, until: float, now: Now) -> bool:
    """A command goes out again when it says something new or its lease is two thirds used."""
    if (last.value, last.source, last.priority) != (value, winner.source, winner.priority):
        return True
    if isinstance(last.value, bool) != isinstance(value, bool):
        return True
    left = last.until - now.wall
    return until - last.until > 1.0 and left <= (until - now.wall) / 3 + ROUNDING_S


def _refuse(
    result: Award, key: str, verdict: Verdict, denied: Mapping[str, str], proposal: Proposal
) -> None:
    """Say a refusal once, for as long as it stands; a person is answered each time."""
    asked = proposal.cause if proposal.priority == "manual" else ""
    mark = f"{verdict.rule}:{verdict.value}:{asked}"
    result.denied[key] = mark
    if denied.get(key) != mark:
        result.verdicts.append(verdict)
