"""Commands: desired states with a lease, the order of who may ask, and what became of them."""

from typing import Literal

from edge.contracts.base import Message, StrictMessage, Value

Priority = Literal["safety", "manual", "plugin", "schedule"]

PRIORITIES: tuple[Priority, ...] = ("safety", "manual", "plugin", "schedule")
"""Who wins an actuator, first to last."""

SURE: tuple[Priority, ...] = ("safety", "schedule")
"""Who acts whatever else is broken: policy, plugins, models, the journal."""


class PluginCommand(StrictMessage, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a plugin asks for. `event` is the event it answers, `lease_s` seconds from now."""

    event: str
    actuator: str
    value: Value
    lease_s: float
    reason: str = ""


class Proposal(Message, frozen=True, omit_defaults=True):
    """A wish for one actuator before policy, arbiter and gate. `until`: monotonic seconds."""

    actuator: str
    value: Value
    until: float
    source: str
    priority: Priority
    cause: str
    reason: str = ""


class Command(StrictMessage, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A desired state that passed policy, arbiter and gate, on its way to a driver.

    until: wall seconds when it lapses unless renewed; cause: id of the journal row it came from;
    toward: what was asked for, while the gate lets `value` be no more than a step on the way.
    """

    id: str
    actuator: str
    value: Value
    until: float
    source: str
    priority: Priority
    cause: str
    reason: str = ""
    toward: Value | None = None


class Verdict(Message, frozen=True, omit_defaults=True):
    """What policy or gate said to one proposal, and which rule said so."""

    actuator: str
    source: str
    allowed: bool
    stage: Literal["policy", "arbiter", "gate"]
    rule: str
    value: Value = ""
    reason: str = ""


class CalendarWrite(StrictMessage, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A change of the room's calendar, written with If-Match on `etag`.

    verb accept/decline: the room's PARTSTAT; check_in: a mark on the event; extend/end/release:
    a new DTEND (`end`, wall seconds); book: a new event.
    """

    id: str
    verb: Literal["accept", "decline", "check_in", "extend", "end", "release", "book"]
    uid: str
    cause: str
    recurrence_id: str = ""
    href: str = ""
    etag: str = ""
    start: float = 0.0
    end: float = 0.0
    title: str = ""
    reason: str = ""
