"""Failures of one template: its own machines wait, nobody else's do."""

from collections.abc import Iterator

import pytest

from cloud_bridge.plan import RETRY_CAP_S, TRIES, plan, pool_failed
from cloud_bridge.store import RecordStore, Store
from cloud_bridge.types import Attempt, Capacity, Create, Machine, Plan, Pool, Records
from tests.cloud_bridge.cases import T0, TEMPLATES, machine, now, row, wanted

ILL = Pool("small", 1, T0, "does not start")


@pytest.fixture
def records(database: str) -> Iterator[RecordStore]:
    opened = Store(database)
    yield RecordStore(opened)
    opened.close()


def planned(*pools: Pool, machines: tuple[Machine, ...] = (), boots: int = 2) -> Plan:
    """Two machines of the failing template are due first, then a healthy one."""
    rows = (row("k1", 900), row("k2", 950), row("big", 1000, template="big"))
    known = Records(pools=pools)
    return plan(wanted(*rows), machines, known, TEMPLATES, Capacity(4096, boots), now(899))


def begun(made: Plan) -> list[str]:
    return [action.key for action in made.actions if isinstance(action, Create)]


def test_a_healthy_template_goes_before_one_that_failed() -> None:
    assert begun(planned()) == ["k1", "k2"]
    assert begun(planned(ILL)) == ["big"]


def test_the_last_free_start_is_kept_for_others_and_one_is_tried_at_a_time() -> None:
    assert begun(planned(ILL, boots=4)) == ["big", "k1"]
    trying = machine("k1", "booting")
    assert begun(planned(ILL, machines=(trying,), boots=4)) == ["big"]
    assert begun(planned(ILL, machines=(machine("big", "ready", template="big"),))) == ["k1"]


def test_a_host_with_one_start_at_a_time_tries_all_the_same() -> None:
    there = machine("big", "ready", template="big")
    assert begun(planned(ILL, machines=(there,), boots=1)) == ["k1"]


def test_from_the_third_failure_on_the_whole_template_waits_and_says_why() -> None:
    pool = Pool("small", TRIES, T0 + 930, "does not start")
    made = planned(pool, boots=4)
    assert begun(made) == ["big"]
    told = {one.key: one.detail for one in made.standings}
    assert told["k1"] == "tried again soon: small failed last: does not start"
    assert made.next_due <= T0 + 930


def test_waits_double_up_to_a_limit_and_begin_at_the_third_failure() -> None:
    pool: Pool | None = None
    waits = []
    for _ in range(12):
        pool = pool_failed(pool, "small", "why", now(0))
        waits.append(pool.not_before - T0)
    assert waits[:2] == [0.0, 0.0]
    assert waits[3] == 2 * waits[2] > 0
    assert waits == sorted(waits)
    assert waits[-1] <= RETRY_CAP_S


def test_waits_from_before_the_clock_was_set_back_are_none() -> None:
    pool = Pool("small", TRIES, T0 + 899 + RETRY_CAP_S + 1)
    assert begun(planned(pool, boots=4)) == ["big", "k1"]
    tried = Records((Attempt("k", 1, T0 + 899 + RETRY_CAP_S + 1),))
    capacity = Capacity(1024, 2)
    made = plan(wanted(row("k", 900)), (), tried, TEMPLATES, capacity, now(899))
    assert begun(made) == ["k"]


def test_a_row_is_kept_until_a_machine_answers(records: RecordStore) -> None:
    records.set_pool(ILL)
    records.set_pool(Pool("small", 2, T0, "again"))
    assert records.pools() == (Pool("small", 2, T0, "again"),)
    records.pool_answers("small")
    records.pool_answers("small")
    assert records.pools() == ()
