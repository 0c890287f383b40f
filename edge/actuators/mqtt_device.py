"""One device on the room's broker: whether it is there, what it did wrong, how much it says."""

from collections.abc import Callable

from edge.contracts.signals import Signal
from edge.contracts.topics import DEVICE
from edge.process.rate import RateLimit
from edge.process.reporter import HealthReporter

CLEAN_S = 10.0
"""How long a device must report nothing wrong before it counts as well again."""


class MqttDevice:
    """Posts the health of `device:<name>`: lost while it is away, degraded while it errs.

    Not thread-safe: its driver's lock guards it. mono: monotonic seconds.
    """

    def __init__(
        self, name: str, post: Callable[[Signal], None], mono: Callable[[], float]
    ) -> None:
        self._health = HealthReporter(f"device:{name}", post)
        self._rate = RateLimit(DEVICE.rate, 5 * DEVICE.rate, mono)
        self._mono = mono
        self._wrong: tuple[str, float] | None = None
        self._stuck = ""
        self._away: set[str] = set()

    @property
    def away(self) -> bool:
        """Whether the device, or what speaks for it, said that it is not there."""
        return bool(self._away)

    def allow(self) -> bool:
        """Whether one more message may be looked at."""
        return self._rate.allow()

    def wrong(self, reason: str) -> None:
        """It said nonsense, or was asked for it."""
        self._wrong = reason, self._mono()
        self.judge()

    def stuck(self, reason: str) -> None:
        """It does not follow; "" when it does."""
        self._stuck = reason
        self.judge()

    def presence(self, topic: str, online: bool) -> bool:
        """Take what `topic` says; return whether the device has come back by that."""
        before = self.away
        if online:
            self._away.discard(topic)
        else:
            self._away.add(topic)
        self.judge()
        return before and not self.away

    def settle(self) -> None:
        """Forget what was wrong long enough ago."""
        if self._wrong is not None and self._mono() > self._wrong[1] + CLEAN_S:
            self._wrong = None
            self.judge()

    def judge(self) -> None:
        """Say how it is, if that is news."""
        if self._away:
            self._health.lost(f"it is offline, says {min(self._away)}")
        elif self._wrong is not None:
            self._health.degraded(self._wrong[0])
        elif self._stuck:
            self._health.degraded(self._stuck)
        else:
            self._health.ok()
