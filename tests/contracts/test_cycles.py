"""What is made in every step is not looked through for cycles, unless it may be part of one."""

import gc
import typing
from collections.abc import Callable, Iterator

import edge.app  # noqa: F401 - all that a running room is made of
from edge.contracts.base import Frozen, Message, Now
from edge.contracts.plugin import PluginEvent
from edge.fusion.state import Reading, RoomState


def below(kind: type) -> Iterator[type]:
    for found in kind.__subclasses__():
        yield found
        yield from below(found)


def parts(annotation: object) -> Iterator[object]:
    yield typing.get_origin(annotation)
    for part in typing.get_args(annotation):
        yield from parts(part)


def test_a_picture_of_the_room_is_none_of_the_collectors_business():
    room = RoomState(motion={"node:a": Reading(1.0, "node:a", 3.0)})
    event = PluginEvent("aurora-1-2", "presence", reported={"lamp": True})
    for made in (room, event, Now(1.0, 2.0)):
        assert not gc.is_tracked(made)


def test_what_holds_functions_says_so_as_they_may_lead_back_to_it():
    found = [
        kind
        for base in (Frozen, Message)
        for kind in below(base)
        if any(Callable in parts(hint) for hint in typing.get_type_hints(kind).values())
    ]
    assert {kind.__name__ for kind in found} >= {"Entry", "Bench"}
    assert [kind.__name__ for kind in found if not kind.__struct_config__.gc] == []
