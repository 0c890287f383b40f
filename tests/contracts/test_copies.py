"""A changed copy is what dataclasses.replace makes, of what it is made for."""

import dataclasses

import pytest

from edge.contracts.base import Now
from edge.contracts.copies import replace
from edge.decide.core import CoreState
from edge.fusion.state import Presence, RoomState


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        (Presence(True, 0.7, 3), {"known": True, "count": 4}),
        (RoomState(), {"motion": {"a": 1}, "consent": "off"}),
        (CoreState(ticked={"p": 1.0}), {}),
        (Now(1.0, 2.0), {"mono": 3.0}),
    ],
)
def test_a_copy_has_the_changes_and_all_the_rest(value, changes):
    before = dataclasses.asdict(value)
    copy = replace(value, **changes)
    assert copy == dataclasses.replace(value, **changes)
    assert copy is not value
    assert dataclasses.asdict(value) == before


def test_a_field_that_is_not_there_is_an_error():
    with pytest.raises(TypeError, match="Presence has no field 'people'"):
        replace(Presence(), people=3)


def test_what_checks_itself_when_made_or_has_no_slots_is_refused():
    @dataclasses.dataclass(frozen=True)
    class Loose:
        a: int = 0
        b: int = 0

    with pytest.raises(TypeError, match="not a slotted"):
        replace(Loose(), a=1)
