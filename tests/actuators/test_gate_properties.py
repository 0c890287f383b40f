"""The gate under whatever is asked of it: what goes out stays inside every limit, and ramps end."""

import math
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from edge.actuators.gate import MINUTE, Gate, same
from edge.contracts.commands import PRIORITIES
from edge.contracts.gating import GateRule
from tests.actuators.test_gate import NO_NUMBERS

rules = st.builds(
    GateRule,
    st.sampled_from(["lamp", "la*"]),
    st.floats(-100, 0),
    st.floats(0, 100),
    step=st.sampled_from([0.0, 1.0, 30.0]),
    rate_per_min=st.integers(0, 6),
    dwell_s=st.sampled_from([0.0, 0.1, 7.0, 90.0]),
    deadband=st.sampled_from([0.0, 0.5, 20.0]),
    settle_s=st.sampled_from([0.0, 3.0, 45.0]),
)
numbers = st.one_of(st.integers(-150, 150), st.floats(-150, 150))
asked = st.tuples(
    # The steady clock stands still or goes on; once in a while a restart takes it back.
    st.one_of(st.floats(0, 40), st.just(-1e4)),
    st.one_of(numbers, st.sampled_from(NO_NUMBERS)),
    st.sampled_from(PRIORITIES),
    st.sampled_from(["lamp", "lamp", "lamp", "other"]),
    st.sampled_from([math.inf, math.inf, 1e9, 0.0, math.nan]),
)
EASE = 1e-6


@dataclass
class Watcher:
    """What really went to the lamp, judged by the limits alone."""

    rule: GateRule
    moves: list[tuple[float, float, str]] = field(default_factory=list)

    def see(self, value: float, mono: float, priority: str) -> None:
        rule = self.rule
        assert isinstance(value, int | float)
        assert not isinstance(value, bool)
        assert rule.low <= value <= rule.high, "range"
        if self.moves and priority != "safety":
            self._limits(value, mono, priority)
        self.moves.append((value, mono, priority))

    def _limits(self, value: float, mono: float, priority: str) -> None:
        rule, (last, at, who) = self.rule, self.moves[-1]
        assert not rule.step or abs(value - last) <= rule.step + EASE, "step"
        assert mono >= at + rule.dwell_s, "dwell"
        minute = [m for _, m, _ in self.moves if mono < m + MINUTE]
        assert len(minute) < rule.rate_per_min, "rate"
        if priority == "manual":
            return
        near = abs(value - last) < rule.deadband
        assert not near or value in (rule.low, rule.high) or rule.step < rule.deadband, "deadband"
        automatic = len(self.moves) > 1 and who in ("plugin", "schedule")
        if automatic and mono < at + rule.settle_s:
            before = self.moves[-2][0]
            assert (before < last) != (value < last), "hysteresis"

    def restart(self, mono: float) -> None:
        """Monotonic instants of before are unknown: what was ahead counts as now."""
        self.moves = [(value, min(at, mono), who) for value, at, who in self.moves]


@given(rules, st.lists(asked, max_size=40), st.floats(2e4, 1e6))
def test_whatever_is_asked_what_goes_out_stays_inside_every_limit(rule, wishes, mono):
    gate, memory, watcher = Gate([rule]), None, Watcher(rule)
    for wait, value, priority, actuator, until in wishes:
        mono = max(0.0, mono + wait)
        watcher.restart(mono)
        answer = gate.check(actuator, value, priority, memory, mono, until)
        if actuator == "other" or not mono < until:
            assert not answer.passed
            continue
        if not answer.passed:
            assert answer.retry_at is None or answer.retry_at > mono
            continue
        if memory is None or not same(answer.value, memory.value):
            watcher.see(answer.value, mono, priority)
            assert answer.memory.changes[-1] == mono
            minute = [m for _, m, _ in watcher.moves if mono < m + MINUTE]
            assert len(answer.memory.changes) <= len(minute) + 2, "memory stays bounded"
        assert answer.memory.value == answer.value
        memory = answer.memory


@given(rules, st.lists(st.floats(0, 40), max_size=10), st.floats(0, 1e6))
def test_at_retry_at_the_limit_that_refused_is_over(rule, waits, mono):
    gate, memory = Gate([rule]), None
    for number, wait in enumerate(waits):
        mono += wait
        value = rule.low if number % 2 else rule.high
        answer = gate.check("lamp", value, "plugin", memory, mono)
        if answer.passed:
            memory = answer.memory
        elif answer.retry_at is not None:
            again = gate.check("lamp", value, "plugin", memory, answer.retry_at)
            assert again.passed or again.rule != answer.rule


@given(rules, numbers, numbers, st.sampled_from(["manual", "plugin", "schedule"]))
def test_who_waits_as_long_as_told_gets_there(rule, first, wish, priority):
    """Ramps end: at the wish, or where the rest is too little to move for."""
    gate, mono = Gate([rule]), 1000.0
    first, wish = (min(max(x, rule.low), rule.high) for x in (first, wish))
    if not rule.rate_per_min:
        return
    memory = gate.check("lamp", first, "manual", None, mono).memory
    for _ in range(250):
        answer = gate.check("lamp", wish, priority, memory, mono)
        memory = answer.memory or memory
        if answer.retry_at is None:
            break
        assert answer.retry_at > mono
        mono = answer.retry_at
    assert answer.passed
    assert answer.value == wish or abs(answer.value - wish) < rule.deadband
