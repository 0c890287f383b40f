"""The gate: what is not listed does not move, what is listed moves inside its limits."""

import math

import pytest

from edge.actuators.gate import Gate, same
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
    ("last", "value", "goes"),
    [
        (50, 60, 60),
        (50, 40, 40),
        (50, 61, 60),
        (50, 39, 40),
        (100, 0, 90),
        (0.1, 0.3 + 9.8, 0.3 + 9.8),
        (0, 10 + 1e-9, 10 + 1e-9),
        ("x", 99, 99),
    ],
)
@pytest.mark.parametrize("priority", ["manual", "plugin", "schedule"])
def test_what_is_further_than_a_step_goes_one_step(last, value, goes, priority):
    rule = GateRule("lamp", 0, 100, step=10)
    answer = check(rule, value, priority, memory=GateMemory(last))
    assert (answer.passed, answer.value, answer.memory.value) == (True, goes, goes)
    assert answer.memory.changes == (1000.0,)
    there = goes == value
    assert (answer.rule, answer.retry_at) == (("passed", None) if there else ("step", 1005.0))
    assert answer.reason == ("" if there else f"on the way to {value}, at most 10 at once")


@pytest.mark.parametrize(("rate", "dwell", "pace"), [(12, 0, 5), (12, 9, 9), (60, 0.5, 1)])
def test_a_wish_far_away_is_reached_in_even_steps(rate, dwell, pace):
    rule = GateRule("lamp", 0, 100, step=30, rate_per_min=rate, dwell_s=dwell)
    gate, memory, mono, seen = Gate([rule]), GateMemory(0, (1.0,)), 1000.0, []
    for _ in range(4):
        answer = gate.check("lamp", 100, "schedule", memory, mono)
        seen.append(answer.value)
        memory = answer.memory
        if answer.retry_at is None:
            break
        assert answer.retry_at == mono + pace
        mono = answer.retry_at
    assert seen == [30, 60, 90, 100]


def test_between_two_steps_what_is_there_stays_and_says_until_when():
    rule = GateRule("lamp", 0, 100, step=10, rate_per_min=30)
    memory = GateMemory(50, (999.0,), 40)
    answer = check(rule, 90, memory=memory)
    assert (answer.passed, answer.rule, answer.value) == (True, "step", 50)
    assert (answer.memory, answer.retry_at) == (memory, 1001.0)
    assert check(rule, 90, memory=memory, mono=1001.0).value == 60


@pytest.mark.parametrize(("last", "goes"), [(500, 90), (-500, 10), (104, 90), (-4, 10)])
def test_a_value_from_before_the_limits_is_left_into_the_range_at_once(last, goes):
    rule = GateRule("lamp", 0, 100, step=10, deadband=50)
    wish = 30 if goes == 90 else 70
    answer = check(rule, wish, memory=GateMemory(last, (999.9,)))
    assert (answer.rule, answer.value, answer.memory.value) == ("step", goes, goes)


@pytest.mark.parametrize(
    ("value", "rule"),
    [(54.9, "deadband"), (45.1, "deadband"), (55, "passed"), (45, "passed"), (50.0, "same")],
)
def test_a_change_too_small_leaves_what_is_there(value, rule):
    memory = GateMemory(50, (900.0,), 40)
    limits = GateRule("lamp", 0, 100, deadband=5)
    for priority in ("plugin", "schedule"):
        answer = check(limits, value, priority, memory=memory)
        assert (answer.passed, answer.rule, answer.retry_at) == (True, rule, None)
        if rule == "deadband":
            assert (answer.value, answer.memory) == (50, memory)
            assert answer.reason == f"{value:g} is less than 5 away"
    for priority in ("manual", "safety"):
        assert check(limits, value, priority, memory=memory).value == value


@pytest.mark.parametrize(("last", "value"), [(3, 0), (97, 100), (3, 0.0), ("on", 2)])
def test_an_end_of_the_range_is_never_too_near(last, value):
    limits = GateRule("lamp", 0, 100, deadband=5)
    assert check(limits, value, memory=GateMemory(last)).value == value


@pytest.mark.parametrize("priority", ["plugin", "schedule"])
@pytest.mark.parametrize(
    ("came", "last", "value", "held"),
    [
        (0, 80, 45, True), (0, 80, 0, True), (80, 45, 60, True), (80, 0, 100, True),
        (0, 45, 80, False), (80, 45, 20, False), (None, 45, 20, False), ("x", 45, 20, False),
        (0, 80, 90, False), (80, 45, 44, False),
    ],
)  # fmt: skip
def test_automation_does_not_turn_back_at_once(priority, came, last, value, held):
    rule = GateRule("lamp", 0, 100, settle_s=20)
    memory = GateMemory(last, (990.0,), came)
    answer = check(rule, value, priority, memory=memory)
    assert answer.passed is (not held)
    if held:
        told = (answer.rule, answer.retry_at, answer.reason)
        assert told == ("settle", 1010.0, "would turn back within 20 s")
    assert check(rule, value, priority, memory=memory, mono=1009.9).passed is not held
    assert check(rule, value, priority, memory=memory, mono=1010.0).passed


@pytest.mark.parametrize(
    ("came", "value", "held"), [("a", "a", True), ("a", "b", False), (None, "a", False)]
)
def test_a_named_value_goes_back_to_where_it_came_from_later(came, value, held):
    rule = GateRule("mode", values=("a", "b", "c"), settle_s=20)
    answer = check(rule, value, memory=GateMemory("c", (990.0,), came))
    assert (answer.rule == "settle") is held


def test_what_a_person_or_safety_changed_may_be_turned_back_and_by_them_too():
    rule = GateRule("lamp", 0, 100, settle_s=20, dwell_s=0)
    memory = GateMemory(0, (990.0,))
    for priority, came in (("manual", None), ("safety", None), ("plugin", 0), ("schedule", 0)):
        after = check(rule, 80, priority, memory=memory).memory
        assert after == GateMemory(80, (990.0, 1000.0), came)
    after = check(rule, 80, "plugin", memory=memory).memory
    for priority in ("manual", "safety"):
        assert check(rule, 10, priority, memory=after, mono=1000.1).value == 10
    assert check(rule, 80, "plugin").memory.came is None
    # With nothing known of when it was changed, nothing is held back.
    assert check(rule, 10, memory=GateMemory(80, (), 0)).passed


@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize(
    ("until", "passes"), [(1000.1, True), (1000.0, False), (-1.0, False), (math.nan, False)]
)
def test_nothing_moves_for_a_lease_that_is_over(priority, until, passes):
    for memory in (None, GateMemory(40), GateMemory(50)):
        answer = Gate([LAMP]).check("lamp", 50, priority, memory, 1000.0, until)
        assert answer.passed is passes
        if not passes:
            assert (answer.rule, answer.reason) == ("lease", "its lease is over")
            assert answer.retry_at is None


def test_the_first_value_and_names_know_no_step():
    assert check(GateRule("lamp", 0, 100, step=10), 90).passed
    named = GateRule("mode", values=("quiet", "loud"), step=1)
    assert check(named, "loud", memory=GateMemory("quiet")).passed


@pytest.mark.parametrize(
    ("rule", "value", "memory", "told"),
    [
        (LAMP, "x" * 40, None, f"{'x' * 40!r} is not a number"),
        (LAMP, 10**40, None, f"1{'0' * 31} is outside 0 to 100"),
        (LAMP, -1, None, "-1 is outside 0 to 100"),
        (NAMED, "x", None, "'x' is not one of quiet, loud"),
        (GateRule("lamp", 0, 9, rate_per_min=0), 1, None, "its rule lets no change through"),
        (
            GateRule("lamp", 0, 9, dwell_s=5), 1, GateMemory(2, (999.0,)),
            "changed less than 5 s ago",
        ),
        (
            GateRule("lamp", 0, 9, rate_per_min=1), 1, GateMemory(2, (999.0,)),
            "changed 1 times within a minute",
        ),
    ],
)  # fmt: skip
def test_a_refusal_says_in_words_what_stood_in_the_way(rule, value, memory, told):
    answer = check(rule, value, memory=memory)
    assert (answer.passed, answer.reason) == (False, told)


def test_who_asks_for_what_is_not_listed_is_told_its_name():
    answer = check(LAMP, 1, actuator="door")
    assert answer.reason == "door is not an actuator of this room"


def test_a_step_on_the_way_says_where_to_even_while_it_waits():
    rule = GateRule("lamp", 0, 100, step=10)
    answer = check(rule, 90, memory=GateMemory(50, (999.0,)))
    assert (answer.retry_at, answer.reason) == (1004.0, "on the way to 90, at most 10 at once")


def test_a_name_with_a_star_is_no_actuator_of_its_own():
    rules = [GateRule("l*", 0, 1), GateRule("la*", 0, 50)]
    assert not Gate(rules).check("la*", 2, "plugin", None, 0).passed


@pytest.mark.parametrize(("last", "value"), [(0, 1), (100, 99)])
def test_at_an_end_of_the_range_a_change_too_small_is_too_small_as_well(last, value):
    answer = check(GateRule("lamp", 0, 100, deadband=5), value, memory=GateMemory(last))
    assert (answer.rule, answer.value) == ("deadband", last)


def test_what_settles_after_names_became_numbers():
    rule = GateRule("lamp", 0, 100, settle_s=20)
    answer = check(rule, 5, memory=GateMemory("x", (990.0,), 5))
    assert (answer.passed, answer.rule) == (False, "settle")


@pytest.mark.parametrize(("priority", "came"), [("plugin", 50), ("schedule", 50), ("manual", None)])
@pytest.mark.parametrize(("wish", "goes"), [(55, 55), (90, 60)])
def test_each_step_remembers_where_automation_came_from(priority, came, wish, goes):
    rule = GateRule("lamp", 0, 100, step=10)
    answer = check(rule, wish, priority, memory=GateMemory(50))
    assert answer.memory == GateMemory(goes, (1000.0,), came)


def test_safety_skips_step_rate_dwell_and_hysteresis():
    rule = GateRule("lamp", 0, 100, step=1, rate_per_min=1, dwell_s=60, deadband=99.5, settle_s=60)
    memory = GateMemory(1, (1000.0,), 50)
    for priority in PRIORITIES:
        answer = check(rule, 99, priority, memory, 1000.0)
        assert (answer.passed and answer.value == 99) is (priority == "safety")


def test_a_change_ahead_of_the_clock_counts_as_now():
    rule = GateRule("lamp", 0, 100, rate_per_min=3, dwell_s=5)
    answer = check(rule, 1, memory=GateMemory(0, (9000.0, 9001.0)), mono=10.0)
    assert (answer.rule, answer.retry_at) == ("dwell", 15.0)
    assert check(rule, 1, memory=GateMemory(0, (9000.0, 9001.0)), mono=10.0, priority="safety")
