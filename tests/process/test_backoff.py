import random

import pytest

from edge.process.backoff import Backoff


def test_delays_double_to_the_cap_with_jitter_that_the_generator_decides() -> None:
    backoff = Backoff(first=1.0, cap=8.0, rng=random.Random(7))
    delays = [backoff.next() for _ in range(6)]
    for delay, base in zip(delays, [1, 2, 4, 8, 8, 8], strict=True):
        assert base / 2 <= delay <= base
    again = Backoff(first=1.0, cap=8.0, rng=random.Random(7))
    assert delays == [again.next() for _ in range(6)]
    backoff.reset()
    assert backoff.next() <= 1.0


@pytest.mark.parametrize(("first", "cap"), [(0, 1), (-1, 1), (2, 1)])
def test_senseless_delays_are_refused(first: float, cap: float) -> None:
    with pytest.raises(ValueError, match="first"):
        Backoff(first=first, cap=cap)
