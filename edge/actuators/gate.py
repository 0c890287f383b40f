"""The gate: the last check before a driver. Small, independent, deny by default. Pure.

It knows neither plugins nor policy. What is not listed does not move; what is listed moves inside
its range, step, rate and dwell. Safety skips rate, dwell and step, never the range.
"""

import math
from collections.abc import Sequence

from edge.contracts.base import Value
from edge.contracts.commands import Priority
from edge.contracts.gating import GateAnswer, GateMemory, GateRule

MINUTE = 60.0


class Gate:
    """The limits of a room's actuators."""

    def __init__(self, rules: Sequence[GateRule]) -> None:
        self._exact = {r.actuator: r for r in rules if not r.actuator.endswith("*")}
        self._begin = [(r.actuator[:-1], r) for r in rules if r.actuator.endswith("*")]

    def check(
        self,
        actuator: str,
        value: Value,
        priority: Priority,
        memory: GateMemory | None,
        mono: float,
    ) -> GateAnswer:
        """Return whether `value` may go to the driver at the monotonic instant `mono`."""
        rule = self._rule(actuator)
        if rule is None:
            return GateAnswer(False, "not listed", f"{actuator} is not an actuator of this room")
        wrong = _wrong_value(rule, value)
        if wrong:
            return GateAnswer(False, "range", wrong)
        if memory is not None and same(memory.value, value):
            return GateAnswer(True, "same", memory=memory)
        recent = _recent(memory, mono)
        if priority != "safety":
            refused = _too_soon(rule, recent, mono) or _too_far(rule, memory, value)
            if refused is not None:
                return refused
        return GateAnswer(True, "passed", memory=GateMemory(value, (*recent, mono)))

    def _rule(self, actuator: str) -> GateRule | None:
        exact = self._exact.get(actuator)
        if exact is not None:
            return exact
        return next((rule for begin, rule in self._begin if actuator.startswith(begin)), None)


def same(one: Value, other: Value) -> bool:
    """Return whether two values are the same wish (1 and True are not)."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _wrong_value(rule: GateRule, value: Value) -> str:
    if rule.values:
        if isinstance(value, str) and value in rule.values:
            return ""
        return f"{value!r} is not one of {', '.join(rule.values)}"
    if isinstance(value, bool | str):
        return f"{value!r} is not a number"
    if rule.low <= value <= rule.high and math.isfinite(value):
        return ""
    return f"{str(value)[:32]} is outside {rule.low:g} to {rule.high:g}"


def _recent(memory: GateMemory | None, mono: float) -> tuple[float, ...]:
    """The last change and those of the last minute; one ahead of `mono` (a restart) is now."""
    if memory is None:
        return ()
    last = memory.changes[-1:]
    minute = [at for at in memory.changes[:-1] if mono < at + MINUTE]
    return tuple(min(at, mono) for at in (*minute, *last))


def _too_soon(rule: GateRule, recent: tuple[float, ...], mono: float) -> GateAnswer | None:
    if rule.rate_per_min < 1:
        return GateAnswer(False, "rate", "its rule lets no change through")
    if recent and mono < recent[-1] + rule.dwell_s:
        again = recent[-1] + rule.dwell_s
        return GateAnswer(False, "dwell", f"changed less than {rule.dwell_s:g} s ago", again)
    minute = [at for at in recent if mono < at + MINUTE]
    if len(minute) >= rule.rate_per_min:
        reason = f"changed {len(minute)} times within a minute"
        return GateAnswer(False, "rate", reason, minute[-rule.rate_per_min] + MINUTE)
    return None


def _too_far(rule: GateRule, memory: GateMemory | None, value: Value) -> GateAnswer | None:
    if memory is None or not rule.step or isinstance(value, str):
        return None
    if isinstance(memory.value, str) or (moved := abs(value - memory.value)) <= rule.step + 1e-9:
        return None
    return GateAnswer(False, "step", f"moves {moved:g}, at most {rule.step:g} at once")
