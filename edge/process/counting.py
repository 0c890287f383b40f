"""Counting in the path of a signal."""

from collections.abc import Callable
from functools import partial

from prometheus_client import Counter


def counting(counter: Counter) -> Callable[[], None]:
    """Return what counts one more, without what the library asks itself each time."""
    return partial(counter._value.inc, 1.0)
