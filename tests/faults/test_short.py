"""Every part of a whole site killed once under load: nothing lost, doubled, left over."""

import pytest

from tests.faults.parts import PARTS
from tests.faults.table import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


def test_each_part_is_killed_and_nothing_is_lost_doubled_or_left_over() -> None:
    results, problems = run(PARTS, kills=1, seed=7, settle_s=0.0)
    assert problems == []
    assert [result.part.name for result in results if not result.clean] == []
    assert [len(result.seconds) for result in results] == [1] * len(PARTS)
    assert all(result.rows > 0 for result in results)
