"""PulseAudio and what speaks its protocol (PipeWire), through libpulse."""

import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from edge.actuators.errors import ActuatorError, DeviceLostError, DeviceRefusedError
from edge.actuators.mixer.port import Levels
from edge.actuators.mixer.watcher import Watcher

ANSWER_S = 0.8
USUAL = "default"
ADVICE = "run: pactl list short sources"


class PulseBackend:
    """One source by its name; "default" is the one that PulseAudio calls so at the moment."""

    step = 0.0

    def __init__(self, source: str, server: str = "", answer_s: float = ANSWER_S) -> None:
        self._source = source
        self._server = server or None
        self._answer_s = answer_s
        self._pulse: Any = None
        self._events: Any = None
        self._watcher: Watcher | None = None
        self._deadline = 0.0
        self._heard = False

    def open(self, changed: Callable[[], None]) -> None:
        """Reach the server and begin to listen."""
        self.close()
        self._pulse = self._connection()
        self._pulse.set_poll_func(self._poll, lambda *_: None)
        self._find()
        self._events = self._connection()
        self._events.event_mask_set("source", "server")
        self._events.event_callback_set(self._on_event)
        self._watcher = Watcher(self._listen, changed)

    def close(self) -> None:
        """Hang up."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()
        connections = [self._pulse]
        if watcher is None or watcher.ended:
            connections.append(self._events)
        self._pulse = self._events = None
        for connection in connections:
            if connection is not None:
                connection.close()

    def levels(self) -> Levels:
        """Return the source's gain and mute."""
        found = self._find()
        return Levels(found.volume.value_flat * 100, bool(found.mute))

    def set_gain(self, percent: float) -> None:
        """Set every channel."""
        found = self._find()
        with self._guarded():
            self._pulse.volume_set_all_chans(found, percent / 100)

    def set_muted(self, muted: bool) -> None:
        """Mute it, or let it be heard."""
        found = self._find()
        with self._guarded():
            self._pulse.mute(found, muted)

    def _find(self) -> Any:
        with self._guarded():
            name = self._source
            if name == USUAL:
                name = self._pulse.server_info().default_source_name
            for source in self._pulse.source_list():
                if source.name == name:
                    return source
        raise DeviceLostError(f"there is no source {name!r}; {ADVICE}")

    def _connection(self) -> Any:
        try:
            import pulsectl  # noqa: PLC0415 - it looks for libpulse at once
        except (ImportError, OSError) as error:
            text = f"PulseAudio's library cannot be loaded: {error}; run: apt install libpulse0"
            raise DeviceLostError(text) from error
        connection = pulsectl.Pulse("roomkeeper", server=self._server, connect=False)
        try:
            connection.connect(timeout=self._answer_s)
        except pulsectl.PulseError as error:
            connection.close()
            where = self._server or "the usual place"
            text = f"no PulseAudio answers at {where}: {error}; is it running for this user?"
            raise DeviceLostError(text) from error
        return connection

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Bound a call: a server that was stopped must not hold this thread for ever."""
        from pulsectl import PulseError  # noqa: PLC0415
        from pulsectl._pulsectl import LibPulse  # noqa: PLC0415

        self._deadline = time.monotonic() + self._answer_s
        try:
            yield
        except (PulseError, LibPulse.CallError) as error:
            if self._pulse.connected and time.monotonic() < self._deadline:
                raise DeviceRefusedError(f"PulseAudio refuses: {error}") from error
            raise DeviceLostError("PulseAudio does not answer any more") from error
        if not self._pulse.connected:
            raise DeviceLostError("PulseAudio hung up")

    def _poll(self, fds: Sequence[Any], seconds: float) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        wait = left if seconds < 0 else min(left, seconds)
        poll = select.poll()
        for fd in fds:
            poll.register(fd.fd, fd.events)
        ready = dict(poll.poll(max(0, int(wait * 1000))))
        for fd in fds:
            fd.revents = ready.get(fd.fd, 0)
        return len(ready)

    def _on_event(self, _event: object) -> None:
        self._heard = True

    def _listen(self, seconds: float) -> bool:
        from pulsectl import PulseError  # noqa: PLC0415
        from pulsectl.pulsectl import PulseDisconnected  # noqa: PLC0415

        try:
            self._events.event_listen(seconds)
        except (PulseError, PulseDisconnected) as error:
            raise ActuatorError("PulseAudio hung up") from error
        heard, self._heard = self._heard, False
        return heard
