"""What the actuators of one device should be against what it reports. Pure: time is an argument."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge.contracts.base import Value

TRIES = 3
RESEND_CAP_S = 60.0

Same = Callable[[str, Value, Value], bool]


def equal(_actuator: str, wanted: Value, told: Value) -> bool:
    """Whether a device that tells exact values follows."""
    return wanted == told and isinstance(wanted, bool) == isinstance(told, bool)


@dataclass(slots=True)
class Desire:
    """`until` in wall seconds, `due` in monotonic ones: when it is said (again) unless agreed.

    said: at least once; what stood there before may have been another's, and may go with it.
    """

    value: Value
    until: float
    due: float
    tries: int = 0
    agreed: bool = False
    said: bool = False


class Desires:
    """Desired against reported; says what is due now. Not for several threads.

    A device that agreed and then reports something else was moved by somebody: it is told again
    only after `follow_s`, so that the room can first make the change its own.
    """

    def __init__(self, follow_s: float, same: Same = equal, *, lazy: bool = False) -> None:
        self._follow_s = follow_s
        self._same = same
        self._lazy = lazy
        self._desires: dict[str, Desire] = {}
        self._reported: dict[str, Value | None] = {}
        self._told: dict[str, Value] = {}

    def want(self, actuator: str, value: Value, until: float, mono: float) -> None:
        """Want `value` until the wall time `until`; the same value again renews the lease."""
        known = self._desires.get(actuator)
        if known is not None and equal(actuator, known.value, value):
            known.until = until
            return
        reported = self._reported.get(actuator)
        agreed = self._lazy and reported is not None and self._same(actuator, value, reported)
        self._desires[actuator] = Desire(value, until, mono, agreed=agreed)

    def drop(self, actuator: str) -> bool:
        """Want nothing any more; return whether anything was wanted."""
        return self._desires.pop(actuator, None) is not None

    def lapsed(self, wall: float) -> list[str]:
        """Drop and return what nobody renewed in time."""
        gone = [name for name, desire in self._desires.items() if desire.until <= wall]
        for name in gone:
            del self._desires[name]
        return gone

    def due(self, mono: float) -> list[tuple[str, Value]]:
        """Return (actuator, value) to be said now."""
        return [(n, d.value) for n, d in self._desires.items() if not d.agreed and d.due <= mono]

    def wrote(self, actuator: str, value: Value, mono: float) -> None:
        """Note that `value` was said, or that it was tried in vain."""
        desire = self._desires.get(actuator)
        if desire is None or not equal(actuator, desire.value, value):
            return
        desire.said = True
        desire.tries += 1
        pause = self._follow_s * 2.0 ** min(16, max(0, desire.tries - TRIES))
        desire.due = mono + min(RESEND_CAP_S, pause)

    def again(self, mono: float) -> None:
        """Say everything anew: the device may have forgotten."""
        for desire in self._desires.values():
            desire.agreed, desire.said, desire.tries, desire.due = False, False, 0, mono
        self._reported.clear()

    def report(self, told: Mapping[str, Value | None], mono: float) -> dict[str, Value]:
        """Take what the device tells (None: at none of its values); return what is news."""
        return {n: news for n, v in told.items() if (news := self._one(n, v, mono)) is not None}

    def _one(self, actuator: str, value: Value | None, mono: float) -> Value | None:
        self._reported[actuator] = value
        desire = self._desires.get(actuator)
        follows = (
            desire is not None and value is not None and self._same(actuator, desire.value, value)
        )
        if desire is not None:
            agrees = follows and (desire.said or self._lazy)
            if agrees:
                desire.tries = 0
            elif desire.agreed:
                desire.due = mono if value is None else mono + self._follow_s
            desire.agreed = agrees
        if value is None:
            return None
        # The device rounds; the room's own figure says the same.
        news = desire.value if desire is not None and follows else value
        if actuator in self._told and equal(actuator, self._told[actuator], news):
            return None
        self._told[actuator] = news
        return news

    def stuck(self) -> list[tuple[str, Value]]:
        """Return (actuator, value) of what does not follow after several tries."""
        return [(n, d.value) for n, d in self._desires.items() if d.tries > TRIES and not d.agreed]

    def wait_s(self, wall: float, mono: float) -> float:
        """Return the seconds until something is due or lapses; infinity when nothing is wanted."""
        instants = [d.until - wall for d in self._desires.values()]
        instants += [d.due - mono for d in self._desires.values() if not d.agreed]
        return max(0.0, min(instants, default=float("inf")))
