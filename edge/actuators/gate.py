"""The gate: the last check before a driver. Small, independent, deny by default. Pure.

It knows neither plugins nor policy. What is not listed does not move; what is listed moves inside
its range, step, rate, dwell and hysteresis, while the lease it moves for runs. A wish too far for
one step is reached in steps. Hysteresis does not bind people; safety is bound by the range alone.
"""

import math
from collections.abc import Sequence

from edge.contracts.base import Value
from edge.contracts.commands import Priority
from edge.contracts.gating import GateAnswer, GateMemory, GateRule

MINUTE = 60.0
ROUNDING = 1e-9


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
        until: float = math.inf,
    ) -> GateAnswer:
        """Return what may go to the driver at the monotonic instant `mono` of a wish for `value`.

        until: monotonic instant at which the lease of the wish ends.
        """
        rule = self._rule(actuator)
        if rule is None:
            return GateAnswer(False, "not listed", f"{actuator} is not an actuator of this room")
        wrong = _wrong_value(rule, value)
        if wrong:
            return GateAnswer(False, "range", wrong)
        if not mono < until:
            return GateAnswer(False, "lease", "its lease is over")
        if memory is not None and same(memory.value, value):
            return GateAnswer(True, "same", memory=memory, value=value)
        return _moved(rule, priority, memory, value, mono)

    def _rule(self, actuator: str) -> GateRule | None:
        exact = self._exact.get(actuator)
        if exact is not None:
            return exact
        return next((rule for begin, rule in self._begin if actuator.startswith(begin)), None)


def same(one: Value, other: Value) -> bool:
    """Return whether two values are the same wish (1 and True are not)."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _moved(
    rule: GateRule, priority: Priority, memory: GateMemory | None, value: Value, mono: float
) -> GateAnswer:
    recent = _recent(memory, mono)
    if priority == "safety":
        return _passed(None, value, (*recent, mono))
    if memory is None:
        return _too_soon(rule, recent, mono) or _passed(None, value, (*recent, mono))
    if priority == "manual":
        refused = _too_soon(rule, recent, mono)
        return refused or _stepped(rule, memory, None, value, recent, mono)
    return (
        _too_near(rule, memory, value)
        or _too_fickle(rule, memory, value, recent, mono)
        or _too_soon(rule, recent, mono)
        or _stepped(rule, memory, memory.value, value, recent, mono)
    )


def _passed(came: Value | None, value: Value, changes: tuple[float, ...]) -> GateAnswer:
    return GateAnswer(True, "passed", memory=GateMemory(value, changes, came), value=value)


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
    changes = memory.changes
    # They stand in their order, hundreds where a rate is high: behind the first are the others.
    last = max(0, len(changes) - 1)
    recent = changes[next((i for i, at in enumerate(changes) if mono < at + MINUTE), last) :]
    return recent if recent[-1:] <= (mono,) else tuple(min(at, mono) for at in recent)


def _too_near(rule: GateRule, memory: GateMemory, value: Value) -> GateAnswer | None:
    """An end of the range is never too near: off is off."""
    last = memory.value
    if isinstance(value, str) or isinstance(last, str) or value in (rule.low, rule.high):
        return None
    if not rule.low <= last <= rule.high or abs(value - last) >= rule.deadband:
        return None
    reason = f"{value:g} is less than {rule.deadband:g} away"
    return GateAnswer(True, "deadband", reason, memory=memory, value=last)


def _too_fickle(
    rule: GateRule, memory: GateMemory, value: Value, recent: tuple[float, ...], mono: float
) -> GateAnswer | None:
    if memory.came is None or not recent or not mono < recent[-1] + rule.settle_s:
        return None
    if not _turns_back(memory.came, memory.value, value):
        return None
    reason = f"would turn back within {rule.settle_s:g} s"
    return GateAnswer(False, "settle", reason, recent[-1] + rule.settle_s)


def _turns_back(came: Value, last: Value, value: Value) -> bool:
    if isinstance(came, str) or isinstance(last, str) or isinstance(value, str):
        return same(came, value)
    return (came < last) == (value < last)


def _too_soon(rule: GateRule, recent: tuple[float, ...], mono: float) -> GateAnswer | None:
    if rule.rate_per_min < 1:
        return GateAnswer(False, "rate", "its rule lets no change through")
    if recent and mono < recent[-1] + rule.dwell_s:
        again = recent[-1] + rule.dwell_s
        return GateAnswer(False, "dwell", f"changed less than {rule.dwell_s:g} s ago", again)
    minute = recent if recent and mono < recent[0] + MINUTE else ()
    if len(minute) >= rule.rate_per_min:
        reason = f"changed {len(minute)} times within a minute"
        return GateAnswer(False, "rate", reason, minute[-rule.rate_per_min] + MINUTE)
    return None


def _stepped(
    rule: GateRule,
    memory: GateMemory,
    came: Value | None,
    value: Value,
    recent: tuple[float, ...],
    mono: float,
) -> GateAnswer:
    """Let the wish through, or one step towards it: the next one a fair share of a minute later."""
    last = memory.value
    if not rule.step or isinstance(value, str) or isinstance(last, str):
        return _passed(came, value, (*recent, mono))
    # A value from before the limits were drawn is left at once: the range goes before the step.
    edge = min(max(last, rule.low), rule.high)
    if abs(value - edge) <= rule.step + ROUNDING:
        return _passed(came, value, (*recent, mono))
    pace = max(rule.dwell_s, MINUTE / rule.rate_per_min)
    reason = f"on the way to {value:g}, at most {rule.step:g} at once"
    if edge == last and recent and mono < recent[-1] + pace:
        return GateAnswer(True, "step", reason, recent[-1] + pace, memory, last)
    part = edge + math.copysign(rule.step, value - edge)
    moved = GateMemory(part, (*recent, mono), came)
    return GateAnswer(True, "step", reason, mono + pace, moved, part)
