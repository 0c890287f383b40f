"""What the gate needs to know, remembers and answers: shared by the loop and the gate itself."""

from dataclasses import dataclass

from edge.contracts.base import Value


@dataclass(frozen=True, slots=True)
class GateRule:
    """The limits of one actuator; an actuator without a rule is never moved.

    A numeric actuator has `low`..`high` and a largest `step` from its last value (0: any); a named
    one lists `values`. At most `rate_per_min` changes a minute, at least `dwell_s` apart.
    A name ending in `*` covers every actuator with that beginning.
    """

    actuator: str
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    values: tuple[str, ...] = ()
    rate_per_min: int = 12
    dwell_s: float = 0.0


@dataclass(frozen=True, slots=True)
class GateMemory:
    """The last value let through and the monotonic instants of the changes of the last minute."""

    value: Value
    changes: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """passed: may go to the driver. Otherwise `rule` says which limit stood in the way.

    retry_at: monotonic instant at which the same value may pass; None when it never will.
    """

    passed: bool
    rule: str
    reason: str = ""
    retry_at: float | None = None
    memory: GateMemory | None = None
