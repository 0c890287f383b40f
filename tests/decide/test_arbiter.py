"""The arbiter: by priority, then by who asked last; what lapses falls back in order."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.commands import PRIORITIES, Proposal
from edge.decide.arbiter import drop, expire, hold, lease_key, next_due, winners

RANK = {priority: rank for rank, priority in enumerate(PRIORITIES)}


def wish(priority, source, until=100.0, value=1, actuator="lamp"):
    return Proposal(actuator, value, until, source, priority, "c")


def held(*wishes):
    return hold({}, wishes)


@pytest.mark.parametrize("expiry", ["none", "first", "second", "both"])
@pytest.mark.parametrize(("one", "two"), list(itertools.product(PRIORITIES, repeat=2)))
def test_every_pair_of_priorities_in_every_order_and_expiry(one, two, expiry):
    first = wish(one, "a", 10 if expiry in ("first", "both") else 100)
    second = wish(two, "b", 10 if expiry in ("second", "both") else 100)
    leases = expire(held(first, second), 10.0)
    if expiry == "both":
        assert winners(leases) == {}
        return
    if expiry == "none":
        expected = second if RANK[two] <= RANK[one] else first
    else:
        expected = second if expiry == "first" else first
    assert winners(leases) == {"lamp": expected}


def test_a_lease_that_runs_out_is_over_at_its_instant():
    leases = held(wish("plugin", "a", 10.0))
    assert expire(leases, 9.999) is leases
    assert expire(leases, 10.0) == {}
    assert expire({}, 1.0) == {}


def test_asking_again_replaces_the_wish_and_makes_it_the_latest():
    leases = held(wish("manual", "a", value=1), wish("manual", "b", value=2))
    assert winners(leases)["lamp"].value == 2
    leases = hold(leases, [wish("manual", "a", value=3)])
    assert winners(leases)["lamp"].value == 3
    assert len(leases) == 2


def test_what_was_held_is_left_as_it_was():
    before = held(wish("plugin", "a"))
    copy = dict(before)
    hold(before, [wish("manual", "b")])
    drop(before, "lamp", "a")
    expire(before, 1e9)
    assert before == copy


def test_actuators_are_arbitrated_apart():
    leases = held(wish("manual", "a", actuator="x"), wish("schedule", "s", actuator="y"))
    assert {a: p.source for a, p in winners(leases).items()} == {"x": "a", "y": "s"}


def test_dropping_falls_back_in_order():
    leases = held(*(wish(priority, priority) for priority in reversed(PRIORITIES)))
    for priority in PRIORITIES:
        assert winners(leases)["lamp"].priority == priority
        leases = drop(leases, "lamp", priority)
    assert drop(leases, "lamp", "nobody") == {}


def test_next_due_is_the_next_lapse():
    assert next_due({}) == math.inf
    assert next_due(held(wish("manual", "a", 30), wish("plugin", "b", 20))) == 20


wishes = st.builds(
    wish,
    st.sampled_from(PRIORITIES),
    st.sampled_from("abcd"),
    st.floats(0, 100),
    st.integers(0, 9),
    st.sampled_from(["lamp", "heat"]),
)


@given(st.lists(wishes, max_size=30), st.floats(0, 110))
def test_no_winner_is_of_a_lower_priority_than_a_live_lease(asked, mono):
    leases = expire(hold({}, asked), mono)
    best = winners(leases)
    assert {p.actuator for p in leases.values()} == set(best)
    for key, lease in leases.items():
        assert key == lease_key(lease)
        assert lease.until > mono
        assert RANK[best[lease.actuator].priority] <= RANK[lease.priority]


@given(st.lists(wishes, max_size=30))
def test_every_lapse_falls_back_to_the_best_that_is_left(asked):
    leases = hold({}, asked)
    order = []
    while lamp := winners(leases).get("lamp"):
        order.append(lamp)
        leases = drop(leases, "lamp", lamp.source)
    assert [RANK[p.priority] for p in order] == sorted(RANK[p.priority] for p in order)
    assert {p.actuator for p in leases.values()} <= {"heat"}
