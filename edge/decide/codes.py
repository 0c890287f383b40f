"""Which connect codes are good: of meetings that are checked in and whose machine is ready. Pure.

The room keeps a code's seal only; whoever minted it (the panel) knows the code itself.
"""

import math
from collections.abc import Iterable, Mapping

import msgspec

from edge.contracts.base import Frozen, Now
from edge.contracts.codes import is_seal
from edge.contracts.signals import OperatorAsked, Signal
from edge.contracts.wire import MachineReport, WantedMachine
from edge.meetings.life import Lives

CODE_S = 600.0
"""How long a code may be used; it is good once."""


class Code(Frozen, frozen=True):
    """until: wall seconds."""

    sealed: str
    until: float


Codes = Mapping[str, Code]
"""Meeting.key -> its code; a new one replaces it."""


def codes(
    before: Codes, signal: Signal, lives: Lives, reports: Iterable[MachineReport], now: Now
) -> Codes:
    """Return the codes after `signal`; `before` itself when nothing changed."""
    if not before and not isinstance(signal, OperatorAsked):
        return before
    after = {
        key: code
        for key, code in before.items()
        if code.until > now.wall and key in lives and lives[key].phase == "active"
    }
    if isinstance(signal, OperatorAsked) and signal.verb == "connect":
        key, sealed = signal.meeting, signal.value
        life = lives.get(key)
        active = life is not None and life.phase == "active"
        if active and isinstance(sealed, str) and is_seal(sealed) and ready(reports, key):
            after[key] = Code(sealed, now.wall + CODE_S)
    return before if after == before else after


def ready(reports: Iterable[MachineReport], meeting: str) -> MachineReport | None:
    """Return the machine of a meeting that is ready, None when there is none."""
    found = (one for one in reports if one.meeting == meeting and one.phase == "ready")
    return next(found, None)


def with_code(machine: WantedMachine, known: Codes) -> WantedMachine:
    """Return the wish with the seal of its meeting's code, for the service's door."""
    code = known.get(machine.meeting)
    if code is None:
        return machine
    return msgspec.structs.replace(machine, code=code.sealed, code_until=code.until)


def next_due(known: Codes) -> float:
    """Return the wall instant at which a code lapses; infinity when there is none."""
    return min((code.until for code in known.values()), default=math.inf)
