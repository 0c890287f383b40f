"""The room's senses, wired: which sources run, and what consent switches off."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog

from edge.config import RoomConfig
from edge.contracts.base import Consent, Now
from edge.contracts.decision import Decision
from edge.contracts.signals import Signal
from edge.decide.core import CoreState
from edge.fusion.evidence import fresh
from edge.fusion.state import MOVING, READING_STALE_S, Reading, RoomState
from edge.perception.errors import PerceptionError
from edge.perception.occupancy import FeatureHistory, OccupancyFeatures, OccupancyModel
from edge.perception.people import PeopleCounter
from edge.perception.voice import VoiceMeter
from edge.process.link import Link
from edge.signals.camera import CameraSource
from edge.signals.clock import ClockSource
from edge.signals.microphone import MicrophoneSource
from edge.signals.nodes import NodeSource
from edge.signals.occupancy import OccupancySource

log = structlog.get_logger()

Post = Callable[[Signal], None]
T = TypeVar("T")


class Senses:
    """Camera, microphone, sensor boards, occupancy model and clock of one room.

    A model that cannot be loaded costs its source, never the room.
    """

    name = "senses"

    def __init__(
        self,
        config: RoomConfig,
        devices: Link,
        post: Post,
        clock: Callable[[], Now],
        room: Callable[[], RoomState],
        newest_known: float,
        offer: Post,
    ) -> None:
        """offer: what may take the step itself, on the thread that brings the signal."""
        self._consent: Consent = "all"
        self.refused: list[tuple[str, str]] = []
        """Sources that cannot run, and why."""
        self.clock = ClockSource(post, clock, newest_known, always_trust=config.clock.always_trust)
        self.camera = self._guarded("camera", lambda: _camera(config, post))
        self.microphone = self._guarded("microphone", lambda: _microphone(config, post))
        self.occupancy = self._guarded("occupancy", lambda: _occupancy(config, post, clock, room))
        nodes = NodeSource("nodes", devices, config.room.id, config.nodes, offer)
        found = (self.clock, self.camera, self.microphone, self.occupancy, nodes)
        self._sources = [source for source in found if source is not None]

    def start(self) -> None:
        """Start every source."""
        for source in self._sources:
            source.start()

    def stop(self) -> None:
        """Stop every source."""
        for source in self._sources:
            source.stop()

    def watch(self, _signal: Signal, _decision: Decision | None, state: CoreState) -> None:
        """Follow the room's consent: what is not allowed is closed, not muted."""
        consent = state.room.consent
        if consent == self._consent:
            return
        self._consent = consent
        if self.camera is not None:
            self.camera.enabled(consent != "off")
        if self.microphone is not None:
            self.microphone.enabled(consent == "all")

    def _guarded(self, name: str, build: Callable[[], T | None]) -> T | None:
        try:
            return build()
        except PerceptionError as error:
            log.error("source cannot run", source=name, reason=str(error))
            self.refused.append((name, str(error)))
            return None


def _camera(config: RoomConfig, post: Post) -> CameraSource | None:
    section = config.camera
    if not section.device:
        return None
    model = config.models.people
    counter = (
        PeopleCounter(Path(model), threshold=section.threshold)
        if model
        else PeopleCounter(threshold=section.threshold)
    )
    return CameraSource("camera", section.device, counter, post, fps=section.fps, loop=section.loop)


def _microphone(config: RoomConfig, post: Post) -> MicrophoneSource | None:
    section = config.microphone
    if not section.device:
        return None
    return MicrophoneSource("microphone", section.device, VoiceMeter(), post, loop=section.loop)


def _occupancy(
    config: RoomConfig, post: Post, clock: Callable[[], Now], room: Callable[[], RoomState]
) -> OccupancySource:
    model = config.models.occupancy
    loaded = OccupancyModel(Path(model)) if model else OccupancyModel()
    history = FeatureHistory()

    def features() -> OccupancyFeatures | None:
        """Runs on the source's thread; it reads the latest immutable picture of the room."""
        mono = clock().mono
        state = room()
        history.add(
            mono,
            temperature=_value(state.readings.get("temperature"), mono),
            illuminance=_value(state.readings.get("illuminance"), mono),
            co2=_value(state.readings.get("co2"), mono),
            motion=any(r.value == MOVING for r in state.motion.values()) if state.motion else None,
            level_db=_value(state.level, mono),
        )
        return history.features(mono)

    return OccupancySource("occupancy", loaded, features, post)


def _value(reading: Reading | None, mono: float) -> float | None:
    known = fresh(reading, READING_STALE_S, mono)
    return None if known is None else known.value
