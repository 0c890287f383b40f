"""The gate: what is not listed does not move, what is listed moves inside its limits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.actuators.gate import MINUTE, Gate, same
from edge.contracts.commands import PRIORITIES
from edge.contracts.gating import GateMemory, GateRule

LAMP = GateRule("lamp", 0, 100)
NAMED = GateRule("mode", values=("quiet", "loud"))
NO_NUMBERS = [math.nan, math.inf, -math.inf, True, False, "50", "", 10**400, -(10**400)]


def check(rule, value, priority="plugin", memory=None, mono=1000.0, actuator=None):
    return Gate([rule]).check(actuator or rule.actuator, value, priority, memory, mono)


@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize("actuator", ["", "lam", "lamp2", "Lamp", "lamp*", "*", "vm", "xvm/1"])
def test_what_is_not_listed_never_passes(actuator, priority):
    gate = Gate([LAMP, GateRule("vm/*", values=("small",))])
    for value in (50, "small"):
        answer = gate.check(actuator, value, priority, None, 0.0)
        assert (answer.passed, answer.rule, answer.retry_at) == (False, "not listed", None)
    assert not Gate([]).check("lamp", 1, "safety", None, 0.0).passed


@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize("value", NO_NUMBERS)
def test_no_number_never_passes_a_numeric_actuator(value, priority):
    answer = check(GateRule("lamp", -1e308, 1e308), value, priority)
    assert (answer.passed, answer.rule) == (False, "range")
    assert len(answer.reason) < 100


def test_infinite_limits_do_not_let_infinity_through():
    rule = GateRule("lamp", -math.inf, math.inf)
    assert not check(rule, math.inf).passed
    assert not check(rule, math.nan).passed
    assert check(rule, 1e300).passed


@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize(
    ("value", "passes"), [(0, True), (100.0, True), (-0.001, False), (100.001, False)]
)
def test_the_range_holds_for_everybody_and_includes_its_ends(value, passes, priority):
    assert check(LAMP, value, priority).passed is passes


@pytest.mark.parametrize(
    ("value", "passes"), [("quiet", True), ("Quiet", False), ("", False), (0, False), (True, False)]
)
def test_a_named_actuator_takes_its_names_only(value, passes):
    answer = check(NAMED, value)
    assert answer.passed is passes
    assert passes or "quiet, loud" in answer.reason


def test_an_exact_rule_goes_before_a_prefix_and_prefixes_in_order():
    rules = [GateRule("vm/*", 0, 1), GateRule("vm/a*", 0, 50), GateRule("vm/b", 0, 9)]
    gate = Gate(rules)
    assert gate.check("vm/b", 9, "plugin", None, 0).passed
    assert not gate.check("vm/a1", 2, "plugin", None, 0).passed
    assert gate.check("vm/", 1, "plugin", None, 0).passed


def test_the_same_value_passes_without_counting_as_a_change():
    memory = GateMemory(50, (1000.0,))
    answer = check(GateRule("lamp", 0, 100, rate_per_min=1, dwell_s=60), 50.0, memory=memory)
    assert (answer.passed, answer.rule, answer.memory) == (True, "same", memory)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(1, 1.0, True), (1, True, False), (True, True, True), ("a", "a", True), ("1", 1, False)],
)
def test_one_and_true_are_not_the_same_wish(one, other, expected):
    assert same(one, other) is expected


def test_dwell_holds_a_change_back_and_says_until_when():
    rule = GateRule("lamp", 0, 100, dwell_s=5)
    memory = GateMemory(50, (1000.0,))
    answer = check(rule, 60, memory=memory, mono=1004.9)
    assert (answer.passed, answer.rule, answer.retry_at) == (False, "dwell", 1005.0)
    assert check(rule, 60, memory=memory, mono=1005.0).passed


def test_dwell_longer_than_a_minute_is_remembered():
    rule = GateRule("lamp", 0, 100, dwell_s=300)
    memory = GateMemory(50, (1000.0,))
    assert not check(rule, 60, memory=memory, mono=1200.0).passed
    assert check(rule, 60, memory=memory, mono=1300.0).memory.changes == (1000.0, 1300.0)


def test_the_rate_of_a_minute_holds_and_says_when_the_next_may_come():
    rule = GateRule("lamp", 0, 100, rate_per_min=2)
    memory = GateMemory(50, (1000.0, 1010.0))
    answer = check(rule, 60, memory=memory, mono=1020.0)
    assert (answer.passed, answer.rule, answer.retry_at) == (False, "rate", 1060.0)
    assert check(rule, 60, memory=memory, mono=1060.0).passed
    # After safety changed it more often than the rate, the last ones count.
    memory = GateMemory(50, (1000.0, 1010.0, 1020.0))
    assert check(rule, 60, memory=memory, mono=1030.0).retry_at == 1070.0


def test_what_is_a_minute_old_is_forgotten_but_for_the_last_change():
    memory = GateMemory(50, (1000.0, 1001.0))
    assert check(LAMP, 60, memory=memory, mono=1060.0).memory.changes == (1001.0, 1060.0)
    assert check(LAMP, 60, memory=memory, mono=1059.9).memory.changes == (1000.0, 1001.0, 1059.9)
    assert check(LAMP, 60, memory=memory, mono=5000.0).memory.changes == (1001.0, 5000.0)


def test_one_change_a_minute_is_one_change_a_minute():
    rule = GateRule("lamp", 0, 100, rate_per_min=1)
    memory = check(rule, 50).memory
    assert check(rule, 60, memory=memory, mono=1059.9).rule == "rate"
    assert check(rule, 60, memory=memory, mono=1060.0).passed


def test_a_rule_that_lets_no_change_through_says_so():
    answer = check(GateRule("lamp", 0, 100, rate_per_min=0), 50)
    assert (answer.passed, answer.rule, answer.retry_at) == (False, "rate", None)
    assert check(GateRule("lamp", 0, 100, rate_per_min=0), 50, "safety").passed


@pytest.mark.parametrize(
    ("last", "value", "passes"),
    [
        (50, 60, True),
        (50, 61, False),
        (50, 39, False),
        (0.1, 0.3 + 9.8, True),
        (0, 10 + 1e-9, True),
        ("x", 99, True),
    ],
)
def test_the_step_from_the_last_value_is_bounded(last, value, passes):
    answer = check(GateRule("lamp", 0, 100, step=10), value, memory=GateMemory(last))
    assert answer.passed is passes
    assert passes or (answer.rule, answer.retry_at) == ("step", None)


def test_the_first_value_and_names_know_no_step():
    assert check(GateRule("lamp", 0, 100, step=10), 90).passed
    named = GateRule("mode", values=("quiet", "loud"), step=1)
    assert check(named, "loud", memory=GateMemory("quiet")).passed


def test_safety_skips_step_rate_and_dwell():
    rule = GateRule("lamp", 0, 100, step=1, rate_per_min=1, dwell_s=60)
    memory = GateMemory(0, (1000.0,))
    for priority in PRIORITIES:
        assert check(rule, 100, priority, memory, 1000.0).passed is (priority == "safety")


def test_a_change_ahead_of_the_clock_counts_as_now():
    rule = GateRule("lamp", 0, 100, rate_per_min=3, dwell_s=5)
    answer = check(rule, 1, memory=GateMemory(0, (9000.0, 9001.0)), mono=10.0)
    assert (answer.rule, answer.retry_at) == ("dwell", 15.0)
    assert check(rule, 1, memory=GateMemory(0, (9000.0, 9001.0)), mono=10.0, priority="safety")


rules = st.builds(
    GateRule,
    st.sampled_from(["lamp", "la*"]),
    st.floats(-100, 0),
    st.floats(0, 100),
    step=st.sampled_from([0.0, 1.0, 30.0]),
    rate_per_min=st.integers(0, 6),
    dwell_s=st.sampled_from([0.0, 0.1, 7.0, 90.0]),
)
numbers = st.one_of(st.integers(-150, 150), st.floats(-150, 150))
asked = st.tuples(
    st.floats(0, 40),
    st.one_of(numbers, st.sampled_from(NO_NUMBERS)),
    st.sampled_from(PRIORITIES),
    st.sampled_from(["lamp", "lamp", "lamp", "other"]),
)


@given(rules, st.lists(asked, max_size=40), st.floats(0, 1e6))
def test_whatever_is_asked_what_passed_stays_inside_every_limit(rule, wishes, mono):
    gate, memory, changes = Gate([rule]), None, []
    for wait, value, priority, actuator in wishes:
        mono += wait
        answer = gate.check(actuator, value, priority, memory, mono)
        if actuator == "other":
            assert not answer.passed
            continue
        if not answer.passed:
            assert answer.retry_at is None or answer.retry_at > mono
            continue
        assert isinstance(value, int | float)
        assert not isinstance(value, bool)
        assert rule.low <= value <= rule.high
        if answer.rule != "same":
            last = memory.value if memory is not None else value
            if priority != "safety":
                assert not rule.step or abs(value - last) <= rule.step + 1e-9
                assert not changes or mono >= changes[-1] + rule.dwell_s
                minute = [at for at in changes if mono < at + MINUTE]
                assert len(minute) < rule.rate_per_min
            minute = [at for at in changes if mono < at + MINUTE]
            changes.append(mono)
            assert len(answer.memory.changes) <= len(minute) + 2, "memory stays bounded"
        memory = answer.memory
        assert memory.changes[-1] == changes[-1]


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
