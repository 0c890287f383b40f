"""Who hears of a decision, and when: drivers once it is durable, the safe ones at once if need be.

While the journal cannot be written, safety and schedule go on; what a plugin or a person wants,
and what the calendar is to hold, waits until it is durable.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from edge.contracts.commands import SURE, CalendarWrite, Command
from edge.contracts.wire import WantedMessage
from edge.decide.core import Outcome


@dataclass(slots=True)
class _Promise:
    """An outcome that is not durable yet; `number` is its place in the order of decisions."""

    number: int
    outcome: Outcome
    hurried: bool = False


class Handout:
    """Hands each command out once and in order; what a later one overtook is not handed out.

    `promise` and `hurry` are called by the loop, what `promise` returns by who wrote the journal.
    """

    def __init__(
        self,
        command: Callable[[Command], None],
        write: Callable[[CalendarWrite], None],
        wanted: Callable[[WantedMessage], None],
    ) -> None:
        self._command = command
        self._write = write
        self._wanted = wanted
        self._waiting: deque[_Promise] = deque()
        self._number = 0
        self._newest: dict[str, int] = {}
        """The decision each actuator's last command came from; "" for the wanted snapshot."""
        self._lock = threading.Lock()

    def promise(self, outcome: Outcome) -> Callable[[], None] | None:
        """Return what hands `outcome` out, to be called once it is durable; None: nothing to do."""
        if not (outcome.commands or outcome.writes or outcome.wanted):
            return None
        with self._lock:
            self._number += 1
            promise = _Promise(self._number, outcome)
            self._waiting.append(promise)
        return lambda: self._keep(promise)

    def hurry(self) -> None:
        """Hand out what may not wait for the journal: safety, schedule, the machines wanted."""
        with self._lock:
            new = []
            while self._waiting and not self._waiting[-1].hurried:
                new.append(self._waiting.pop())
            for promise in reversed(new):
                promise.hurried = True
                self._give(promise, [c for c in promise.outcome.commands if c.priority in SURE])
                self._tell_wanted(promise)
                self._waiting.append(promise)

    def _keep(self, promise: _Promise) -> None:
        with self._lock:
            # Those before it were lost with their rows: no one will call for them any more.
            while self._waiting and self._waiting[0].number <= promise.number:
                self._waiting.popleft()
            left = promise.outcome.commands
            if promise.hurried:
                left = tuple(c for c in left if c.priority not in SURE)
            self._give(promise, left)
            for write in promise.outcome.writes:
                self._write(write)
            if not promise.hurried:
                self._tell_wanted(promise)

    def _give(self, promise: _Promise, commands: "tuple[Command, ...] | list[Command]") -> None:
        for command in commands:
            if self._newest.get(command.actuator, 0) <= promise.number:
                self._newest[command.actuator] = promise.number
                self._command(command)

    def _tell_wanted(self, promise: _Promise) -> None:
        wanted = promise.outcome.wanted
        if wanted is not None and self._newest.get("", 0) <= promise.number:
            self._newest[""] = promise.number
            self._wanted(wanted)
