"""What is made in every step is not looked through for cycles, unless it may be part of one."""

import dataclasses
import gc
import typing
from collections.abc import Callable, Iterator

import msgspec

import edge.app  # noqa: F401 - all that a running room is made of
from edge.contracts.base import Frozen, Message
from edge.contracts.plugin import PluginEvent
from edge.fusion.state import Reading, RoomState
from edge.journal.group import Entry, Group


def below(kind: type) -> Iterator[type]:
    for found in kind.__subclasses__():
        yield found
        yield from below(found)


def parts(annotation: object) -> Iterator[object]:
    yield typing.get_origin(annotation) or annotation
    for part in typing.get_args(annotation):
        yield from parts(part)


def reaches_a_function(kind: type, seen: frozenset[type] = frozenset()) -> bool:
    """Whether an object of `kind` holds a function, or what holds one."""
    for hint in typing.get_type_hints(kind).values():
        for part in parts(hint):
            if part is Callable:
                return True
            holds = isinstance(part, type) and (
                issubclass(part, msgspec.Struct) or dataclasses.is_dataclass(part)
            )
            if holds and part not in seen and reaches_a_function(part, seen | {kind}):
                return True
    return False


def test_a_picture_of_the_room_is_none_of_the_collectors_business():
    room = RoomState(motion={"node:a": Reading(1.0, "node:a", 3.0)})
    event = PluginEvent("aurora-1-2", "presence", reported={"lamp": True})
    assert not gc.is_tracked(room)
    assert not gc.is_tracked(event)


def test_what_holds_functions_says_so_as_they_may_lead_back_to_it():
    kinds = {kind for base in (Frozen, Message) for kind in below(base)}
    found = {kind for kind in kinds if reaches_a_function(kind)}
    assert found >= {Entry, Group}
    assert {kind.__name__ for kind in found if not kind.__struct_config__.gc} == set()
