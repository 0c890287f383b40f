"""The base of every message, the instant a pure part is called with, and ids without chance."""

import math
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Literal
from uuid import UUID, uuid5

import msgspec

Consent = Literal["all", "counts", "off"]
"""all: camera counts and microphone features; counts: camera counts only; off: neither."""

Value = bool | int | float | str
"""What an actuator can be set to: a switch, a level or a named preset."""

LAST_WALL = 253402200000.0
"""The 30th of December 9999: in every zone there is a day behind it."""
MACHINE_NAMESPACE = UUID("7f0a4f3e-6a52-5d0c-9d0e-3f4f6f1f8b11")


class ContractError(ValueError):
    """A message that breaks its contract; the text says where and what is allowed."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A value that crosses a boundary; unknown fields are tolerated (telemetry may grow).

    gc: made of what is there already and never changed, it is part of no cycle; to be looked for
    in one would cost a crowd of edges a fifth of its time.
    """


class Frozen(msgspec.Struct, frozen=True, gc=False):
    """A value inside a process that is made in every step: made, compared and copied in C.

    Everything else inside is a frozen dataclass; `msgspec.structs.replace` makes changed copies.
    One that holds functions says gc=True: those may lead back to it.
    """


class StrictMessage(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A value that is obeyed (commands, configuration): an unknown field is an error."""


def local_time(wall: float, zone: tzinfo) -> datetime:
    """Return the local time of `wall` (seconds since 1970).

    A peer's clock may be anything: what no calendar knows is taken for its edge.
    """
    return datetime.fromtimestamp(min(max(wall, 0.0), LAST_WALL), zone)


class Now(Frozen, frozen=True):
    """The instant a pure part is called with.

    wall: seconds since 1970 UTC; mono: seconds of a clock that never jumps;
    trusted: whether `wall` was confirmed since the appliance started.
    """

    wall: float
    mono: float
    trusted: bool = True


def make_id(room: str, boot: int, sequence: int) -> str:
    """Return the id of the `sequence`-th thing of a room's `boot`-th start."""
    return f"{room}-{boot}-{sequence}"


@lru_cache(maxsize=1024)
def machine_key(organisation: str, uid: str, recurrence_id: str) -> str:
    """Return the key of the machine of one meeting instance, the same in every room and run."""
    return str(uuid5(MACHINE_NAMESPACE, f"{organisation}\n{uid}\n{recurrence_id}"))


@lru_cache(maxsize=1024)
def pseudonym(organisation: str, person: str) -> str:
    """Return a name for a person that is the same in every room and tells nobody who it is."""
    return (
        str(uuid5(MACHINE_NAMESPACE, f"{organisation}\nperson\n{person.lower()}")) if person else ""
    )


def finite(value: float, low: float, high: float, what: str) -> float:
    """Return `value` as float, or raise ContractError when it is NaN or outside [low, high]."""
    number = float(value)
    if math.isnan(number) or not low <= number <= high:
        raise ContractError(f"{what} is {value!r}; allowed is {low:g} to {high:g}")
    return number
