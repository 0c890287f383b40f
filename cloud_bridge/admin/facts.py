"""Everything a page of this instant rests on, as it was read."""

from dataclasses import dataclass
from typing import Literal

from cloud_bridge.admin.live import Live
from cloud_bridge.store.looking import DeadRow, RoomRow, StepRow, Wish
from cloud_bridge.store.records import Question
from cloud_bridge.types import Attempt, Machine, Usage
from edge.contracts.wire import MachineReport

Answer = Literal["ok", "ill", "away"]


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the service. since: wall seconds; detail: its own words."""

    name: str
    answer: Answer
    detail: str
    since: float


@dataclass(frozen=True, slots=True)
class ImageFile:
    """What a template's machines are made of. made: its oldest file, wall seconds, 0: not there.

    old_days: it should not be older, 0: any.
    """

    template: str
    made: float
    old_days: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """read: wall seconds of the last good reading, 0 before the first.

    trouble: why the database did not answer since; behind: rows of each room not folded yet.
    """

    read: float = 0.0
    trouble: str = ""
    rooms: tuple[RoomRow, ...] = ()
    live: tuple[Live, ...] = ()
    behind: tuple[tuple[str, int], ...] = ()
    wishes: tuple[Wish, ...] = ()
    reports: tuple[tuple[str, MachineReport], ...] = ()
    attempts: tuple[Attempt, ...] = ()
    machines: tuple[Machine, ...] = ()
    steps: tuple[StepRow, ...] = ()
    dead: tuple[DeadRow, ...] = ()
    questions: tuple[Question, ...] = ()
    parts: tuple[Part, ...] = ()
    images: tuple[ImageFile, ...] = ()
    usage: tuple[Usage, ...] = ()
