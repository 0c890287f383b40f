"""The room in Home Assistant, wired: what is announced, and what wakes the announcer."""

from collections.abc import Callable
from importlib.metadata import version

from edge.config_schema import RoomConfig
from edge.contracts.base import Now
from edge.contracts.decision import Decision
from edge.contracts.signals import DeviceReported, Signal
from edge.decide.core import CoreState
from edge.home.about import About
from edge.home.announcer import Announcer, last_will
from edge.home.documents import documents
from edge.home.told import told
from edge.process.link import Link


def about(config: RoomConfig) -> About:
    """Return what the room says of itself."""
    section = config.home_assistant
    return About(
        room=config.room.id,
        name=config.room.name or config.room.id,
        version=version("roomkeeper"),
        rules=tuple(a.rule for a in config.actuators if a.driver != "vm"),
        prefix=section.prefix,
        share_titles=config.room.share_titles,
        hold_s=section.hold_s,
        level_stale_s=config.fusion.voice_stale_s,
    )


def house_will(config: RoomConfig) -> tuple[str, bytes] | None:
    """Return the last will of the link to the room's broker; None when nothing is announced."""
    return last_will(about(config)) if config.home_assistant.discovery else None


class House:
    """Announces the room when the configuration says so, and takes back what it announced else."""

    name = "home"

    def __init__(
        self,
        config: RoomConfig,
        devices: Link,
        state: Callable[[], CoreState],
        post: Callable[[Signal], None],
        clock: Callable[[], Now],
    ) -> None:
        room = about(config)
        self._announces = config.home_assistant.discovery
        self._announcer = Announcer(
            room,
            documents(room) if self._announces else {},
            devices,
            lambda: told(state(), room, clock()),
            post,
        )

    def watch(self, signal: Signal, decision: Decision | None) -> None:
        """Runs on whoever takes a step, after it, once after a crowd; never blocks."""
        if self._announces and (decision is not None or isinstance(signal, DeviceReported)):
            self._announcer.poke()

    def start(self) -> None:
        """Announce as soon as the room's broker is there."""
        self._announcer.start()

    def stop(self) -> None:
        """Say nothing more; the broker says that the room is gone."""
        self._announcer.stop()
