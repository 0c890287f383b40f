"""How long machines have been booting, by a clock that does not jump."""

from collections.abc import Iterable
from dataclasses import replace

from cloud_bridge.types import Machine
from edge.contracts.base import Now


class Ages:
    """Remembers when each machine was first seen; of one reconciler, used by its thread alone."""

    def __init__(self) -> None:
        self._born: dict[str, float] = {}
        """Token -> monotonic second at which the machine was made."""

    def steady(self, machines: Iterable[Machine], now: Now) -> list[Machine]:
        """Return ours with `created` told by steady time, strangers as they are; forget others.

        A wall clock that was set since would else make a boot hours long, or never overdue.
        """
        listed = list(machines)
        before, self._born = self._born, {}
        return [self._steady(one, before, now) if one.ours else one for one in listed]

    def _steady(self, machine: Machine, before: dict[str, float], now: Now) -> Machine:
        seen_first = now.mono - max(0.0, now.wall - machine.created)
        born = self._born[machine.token] = before.get(machine.token, seen_first)
        return replace(machine, created=now.wall - (now.mono - born))
