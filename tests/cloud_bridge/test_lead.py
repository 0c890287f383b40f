"""How long before its meeting a machine is begun."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.plan.lead import ENOUGH, MARGIN_S, SPARE, Boot, Lead, begins, lead_of


def test_the_first_guess_holds_until_a_few_boots_were_measured() -> None:
    assert lead_of((), 300.0) == Lead(300.0, 0.0)
    assert lead_of((4.0, 5.0), 300.0) == Lead(300.0, 0.0)


def test_a_first_guess_that_measured_boots_show_too_short_is_not_believed() -> None:
    assert lead_of((400.0,), 300.0) == Lead(SPARE * 400.0 + MARGIN_S, 0.0)


def test_a_few_boots_tell_the_slowest_and_spare() -> None:
    assert lead_of((4.0, 5.0, 4.0, 9.0, 4.0), 300.0) == Lead(SPARE * 9.0, MARGIN_S)


def test_many_boots_tell_their_99th_percentile() -> None:
    measured = [4.0] * (ENOUGH - 1) + [90.0]
    assert lead_of(measured, 300.0).boot_s == 90.0
    assert lead_of([4.0] * (2 * ENOUGH - 1) + [90.0], 300.0).boot_s == 4.0


def test_boots_that_are_due_together_are_begun_one_after_the_other() -> None:
    boots = [Boot(str(n), 1000.0, 10.0) for n in range(6)]
    assert sorted(begins(boots, 2).values()) == [970.0, 970.0, 980.0, 980.0, 990.0, 990.0]
    assert set(begins(boots, 6).values()) == {990.0}


BOOTS = st.lists(st.tuples(st.floats(0, 5000), st.floats(0.1, 400)), min_size=1, max_size=30).map(
    lambda pairs: [Boot(str(n), at, seconds) for n, (at, seconds) in enumerate(pairs)]
)


@given(BOOTS, st.integers(1, 5))
def test_all_end_in_time_and_no_more_run_at_once_than_may(boots: list[Boot], slots: int) -> None:
    latest = begins(boots, slots)
    assert latest.keys() == {boot.key for boot in boots}
    for boot in boots:
        begin = latest[boot.key]
        assert begin + boot.seconds <= boot.deadline + 1e-6
        middle = begin + boot.seconds / 2
        running = [b for b in boots if latest[b.key] <= middle < latest[b.key] + b.seconds]
        assert len(running) <= slots


@given(BOOTS, st.integers(1, 5))
def test_with_a_slot_for_each_nothing_is_begun_earlier_than_need_be(
    boots: list[Boot], slots: int
) -> None:
    alone = begins(boots, len(boots))
    assert all(alone[b.key] == b.deadline - b.seconds for b in boots)
    crowded = begins(boots, slots)
    assert all(crowded[b.key] <= alone[b.key] for b in boots)
