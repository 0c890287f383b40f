"""The microphone as a source: how loud it is and whether somebody speaks, nothing else of it."""

import queue
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter

from edge.contracts.signals import Signal, SoundMeasured
from edge.perception.resample import Resampler
from edge.perception.voice import RATE, VoiceMeter
from edge.process.backoff import Backoff
from edge.signals.keeper import Keeper, SourceError
from edge.signals.sound import SoundInput, open_input

DROPPED = Counter(
    "roomkeeper_sound_blocks_dropped", "Blocks of 20 ms lost because measuring was behind."
)
SECONDS_HEARD = Counter("roomkeeper_sound_seconds", "Seconds of sound measured.")

QUEUE_BLOCKS = 100
POLL_S = 0.25
SILENT_S = 3.0
"""An input that delivers nothing for so long is lost."""


class MicrophoneSource:
    """Posts SoundMeasured once a second, and the microphone's health. Thread: its name.

    device: "default", an index or part of the name of an audio input, or a sound file (played at
    its own pace by a second thread, `sound-file`; again when `loop`, else its end is a lost
    microphone). Samples live until they are measured, at most 2 s.
    """

    def __init__(
        self,
        name: str,
        device: str,
        meter: VoiceMeter,
        post: Callable[[Signal], None],
        *,
        loop: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self._device = device
        self._meter = meter
        self._post = post
        self._loop = loop
        self._dropped = 0
        self._keeper = Keeper(name, post, self._session, backoff)

    def start(self) -> None:
        """Begin to listen; a microphone that is away is tried again and again."""
        self._keeper.start()

    def stop(self) -> None:
        """Close the microphone and end, within 1 s."""
        self._keeper.stop()

    def enabled(self, on: bool) -> None:
        """Allow the microphone to be open, or have it closed; returns at once."""
        self._keeper.enabled(on)

    def _session(self) -> None:
        blocks: queue.Queue[NDArray[np.int16]] = queue.Queue(QUEUE_BLOCKS)

        def push(block: NDArray[np.int16]) -> None:
            try:
                blocks.put_nowait(block)
            except queue.Full:
                self._dropped += 1

        source = open_input(self._device, push, self._loop)
        try:
            self._listen(source, blocks)
        finally:
            source.close()

    def _listen(self, source: SoundInput, blocks: "queue.Queue[NDArray[np.int16]]") -> None:
        self._meter.reset()
        resampler = Resampler(source.rate, RATE)
        heard = time.monotonic()
        while self._keeper.wanted():
            try:
                block = blocks.get(timeout=POLL_S)
            except queue.Empty:
                if source.failed:
                    raise SourceError(f"{self._device}: {source.failed}") from None
                if time.monotonic() - heard > SILENT_S:
                    raise SourceError(f"{self._device}: no sound for {SILENT_S:g} s") from None
                continue
            heard = time.monotonic()
            self._measure(resampler.feed(block))

    def _measure(self, samples: NDArray[np.int16]) -> None:
        frame = self._meter.feed(samples)
        if frame is None or not self._keeper.wanted():
            return
        SECONDS_HEARD.inc()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            DROPPED.inc(dropped)
        self._keeper.health.ok()
        level, voice = round(frame.level_db, 1), round(frame.voice, 3)
        self._post(SoundMeasured(self.name, level, voice, round(frame.clipped, 4)))
