"""What the gate needs to know, remembers and answers: shared by the loop and the gate itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.contracts.base import Frozen, Value


@dataclass(frozen=True, slots=True)
class GateRule:
    """The limits of one actuator; an actuator without a rule is never moved.

    A numeric actuator has `low`..`high` and a largest `step` from its last value (0: any): a wish
    further away is reached in steps. A named one lists `values`. At most `rate_per_min` changes a
    minute, at least `dwell_s` apart. `deadband`: a smaller change is not worth a move, unless it
    reaches an end of the range; `settle_s`: what automation changed it does not turn back sooner.
    A name ending in `*` covers every actuator with that beginning.
    """

    actuator: str
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    values: tuple[str, ...] = ()
    rate_per_min: int = 12
    dwell_s: float = 0.0
    deadband: float = 0.0
    settle_s: float = 0.0


class GateMemory(Frozen, frozen=True):
    """The last value let through and the monotonic instants of the changes of the last minute.

    came: what the last change moved away from, when automation made it; None when a person or
    safety did, or nothing was there before.
    """

    value: Value
    changes: tuple[float, ...] = ()
    came: Value | None = None


class GateAnswer(Frozen, frozen=True):
    """passed: `value` may go to the driver. Otherwise `rule` says which limit stood in the way.

    value: the wish, one step towards it, or the value that stays, as `rule` says (passed, step,
    deadband, same). retry_at: monotonic instant at which the wish may come further; None when it
    never will, or is there.
    """

    passed: bool
    rule: str
    reason: str = ""
    retry_at: float | None = None
    memory: GateMemory | None = None
    value: Value = ""


def rule_of(rules: Sequence[GateRule], actuator: str) -> GateRule | None:
    """Return the rule of an actuator: its own before one that covers its beginning."""
    found = None
    for rule in rules:
        if rule.actuator == actuator:
            return rule
        begins = rule.actuator.endswith("*") and actuator.startswith(rule.actuator[:-1])
        if found is None and begins:
            found = rule
    return found
