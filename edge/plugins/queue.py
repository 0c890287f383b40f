"""What waits for one plugin: edges are kept up to a bound, ticks coalesce, the rest is counted."""

from collections import deque
from dataclasses import dataclass, field

from edge.contracts.base import Frozen
from edge.contracts.plugin import PluginEvent

EDGES = 8192
"""Events that may wait for one plugin; a burst of 5,000 fits."""
BATCH = 128
"""Events handed to one call: its input stays far below the plugin's memory."""


class PluginCall(Frozen, frozen=True):
    """A request to call `plugin`. now: wall seconds; seed: the only chance the plugin gets."""

    plugin: str
    events: tuple[PluginEvent, ...]
    now: float
    seed: int


@dataclass(slots=True)
class Waiting:
    """The events one plugin has not seen yet. Not locked: its owner does that.

    refused: ids of edges beyond the bound, still to be reported; lost: how many were not even
    noted; coalesced: ticks that a later one replaced.
    """

    events: deque[PluginEvent] = field(default_factory=deque)
    tick: PluginEvent | None = None
    now: float = 0.0
    seed: int = 0
    refused: list[str] = field(default_factory=list)
    lost: int = 0
    coalesced: int = 0

    def add(self, call: PluginCall) -> None:
        """Take in a call."""
        self.now, self.seed = call.now, call.seed
        for event in call.events:
            if event.kind == "tick":
                self.coalesced += self.tick is not None
                self.tick = event
            elif len(self.events) < EDGES:
                self.events.append(event)
            elif len(self.refused) < EDGES:
                self.refused.append(event.id)
            else:
                self.lost += 1

    def __bool__(self) -> bool:
        return bool(self.events or self.tick or self.refused)

    def take(self) -> tuple[PluginEvent, ...]:
        """Return the next batch, oldest first; a tick goes last, once the edges are through."""
        batch = [self.events.popleft() for _ in range(min(BATCH, len(self.events)))]
        if self.tick is not None and not self.events:
            batch.append(self.tick)
            self.tick = None
        return tuple(batch)

    def take_refused(self) -> tuple[str, ...]:
        """Return the ids of refused edges, once."""
        ids, self.refused = tuple(self.refused), []
        return ids
