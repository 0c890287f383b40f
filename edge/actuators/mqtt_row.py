"""One actuator on the room's broker: what it should be, what was heard and told of it."""

from dataclasses import dataclass

from edge.actuators.dialects import Channel, Said
from edge.actuators.dialects.measure import Percent
from edge.actuators.mqtt_device import MqttDevice
from edge.contracts.base import Value


@dataclass(slots=True)
class Desire:
    """What an actuator should be until `until` (wall s), and when it is said next (monotonic s)."""

    value: Value
    messages: tuple[Said, ...]
    until: float
    due: float
    tries: int = 0


@dataclass(slots=True)
class Row:
    """One actuator: its channel, what was last heard of it and what was told of that.

    rests_at: monotonic instant at which a slow one that moves counts as stopped.
    """

    name: str
    device: MqttDevice
    source: str
    channel: Channel
    desire: Desire | None = None
    heard: Value | None = None
    told: Value | None = None
    rests_at: float | None = None

    @property
    def slow(self) -> bool:
        """Whether it is on its way for long, and tells where it is meanwhile."""
        return isinstance(self.channel.measure, Percent) and self.channel.measure.slow

    @property
    def settled(self) -> bool:
        """Whether the device is known to be as it should."""
        if self.desire is None or not self.channel.reports:
            return self.desire is None or self.desire.tries > 0
        wanted, heard = self.desire.value, self.heard
        return heard is not None and self.channel.measure.followed(wanted, heard)
