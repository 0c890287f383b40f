"""Declared intents: which one a meeting chose and what it asks of each actuator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from edge.contracts.base import Value
from edge.contracts.signals import Meeting

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Intent:
    """What people declare ("quiet meeting with video") and what it means for the room.

    tags: categories or #tags that choose it; targets: actuator -> value while the meeting lasts;
    vm: template of the machine it needs ("" for none); lead_s: how long before the start the room
    should be like that.
    """

    name: str
    title: str
    tags: tuple[str, ...]
    targets: Mapping[str, Value] = field(default_factory=dict)
    vm: str = ""
    lead_s: float = 0.0
    description: str = ""


def choose(meeting: Meeting, intents: Sequence[Intent]) -> Intent:
    """Return the first intent one of whose tags the meeting carries, else the default one."""
    wanted = _tags(meeting.categories)
    for intent in intents:
        if intent.name in wanted or not wanted.isdisjoint(intent.tags):
            return intent
    for intent in intents:
        if intent.name == DEFAULT:
            return intent
    return Intent(DEFAULT, "Meeting", ())


@lru_cache(maxsize=1024)
def _tags(categories: tuple[str, ...]) -> frozenset[str]:
    return frozenset(category.lower().lstrip("#") for category in categories)
