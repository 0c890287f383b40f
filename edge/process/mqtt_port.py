"""What a part needs of an MQTT link: enough to be tried on any."""

from collections.abc import Callable
from typing import Protocol


class MqttPort(Protocol):
    """A link as those see it who publish and listen."""

    @property
    def connected(self) -> bool:
        """Whether messages get out."""
        ...

    def subscribe(
        self, topic_filter: str, handler: Callable[[str, bytes, bool], None], qos: int = 1
    ) -> None:
        """Call handler(topic, payload, retained) for what matches."""
        ...

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        on_ack: Callable[[int], None] | None = None,
    ) -> bool:
        """Hand a message over; False when there is no connection."""
        ...

    def when_up(self, listener: Callable[[], None]) -> None:
        """Call after every (re)connection; before start."""
        ...
