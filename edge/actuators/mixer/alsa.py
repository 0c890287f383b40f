"""ALSA's own mixer, for an appliance without a sound server."""

import select
from collections.abc import Callable
from typing import Any, TypeVar

from edge.actuators.errors import ActuatorError, DeviceLostError, DeviceRefusedError
from edge.actuators.mixer.port import Levels
from edge.actuators.mixer.watcher import Watcher

T = TypeVar("T")

ADVICE = "run: amixer scontrols"


class AlsaBackend:
    """One capture element of a card, such as "Capture" of "hw:1"."""

    def __init__(self, card: str, control: str = "Capture") -> None:
        self._card = card
        self._control = control
        self._mixer: Any = None
        self._events: Any = None
        self._watcher: Watcher | None = None
        self.step = 0.0

    def open(self, changed: Callable[[], None]) -> None:
        """Open the element twice: to set it, and to listen to it."""
        self.close()
        self._mixer = self._element()
        low, high = self._call(self._range)
        self.step = 100.0 / max(1, high - low)
        self._events = self._element()
        self._watcher = Watcher(self._listen, changed)

    def close(self) -> None:
        """Let go of the element."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()
        elements = [self._mixer]
        if watcher is None or watcher.ended:
            elements.append(self._events)
        self._mixer = self._events = None
        for element in elements:
            if element is not None:
                element.close()

    def levels(self) -> Levels:
        """Return the element's gain and whether its capture switch is off."""
        return self._call(self._levels)

    def set_gain(self, percent: float) -> None:
        """Set every channel."""
        if percent > 100:
            raise DeviceRefusedError("ALSA takes a gain of at most 100 per cent")
        self._call(lambda alsa: self._mixer.setvolume(round(percent), pcmtype=alsa.PCM_CAPTURE))

    def set_muted(self, muted: bool) -> None:
        """Switch capture off, or on again."""
        self._call(lambda _alsa: self._mixer.setrec(int(not muted)))

    def _levels(self, alsa: Any) -> Levels:
        self._mixer.handleevents()
        gain = muted = None
        if "Capture Volume" in self._mixer.volumecap():
            volumes = self._mixer.getvolume(pcmtype=alsa.PCM_CAPTURE)
            gain = sum(volumes) / len(volumes)
        if "Capture Mute" in self._mixer.switchcap():
            muted = not any(self._mixer.getrec())
        return Levels(gain, muted)

    def _range(self, alsa: Any) -> tuple[int, int]:
        if "Capture Volume" not in self._mixer.volumecap():
            return 0, 100
        low, high = self._mixer.getrange(pcmtype=alsa.PCM_CAPTURE)
        return int(low), int(high)

    def _element(self) -> Any:
        alsa = _library()
        try:
            known = alsa.mixers(device=self._card)
        except alsa.ALSAAudioError as error:
            raise DeviceLostError(f"no ALSA mixer {self._card!r}: {error}") from error
        if self._control not in known:
            names = ", ".join(known) or "nothing"
            text = f"{self._card!r} has no {self._control!r} but {names}; {ADVICE}"
            raise DeviceLostError(text)
        return self._call(lambda _alsa: alsa.Mixer(self._control, device=self._card))

    def _call(self, call: Callable[[Any], T]) -> T:
        """Have the library do something; a card that was unplugged is lost."""
        alsa = _library()
        try:
            return call(alsa)
        except alsa.ALSAAudioError as error:
            text = str(error)
            if "capabilities" in text or "not supported" in text:
                raise DeviceRefusedError(f"{self._control!r} cannot do this: {text}") from error
            raise DeviceLostError(f"ALSA mixer {self._card!r}: {text}") from error

    def _listen(self, seconds: float) -> bool:
        poll = select.poll()
        for number, events in self._events.polldescriptors():
            poll.register(number, events)
        ready = poll.poll(int(seconds * 1000))
        if any(event & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, event in ready):
            raise ActuatorError(f"ALSA mixer {self._card!r} went away")
        if ready:
            self._call(lambda _alsa: self._events.handleevents())
        return bool(ready)


def _library() -> Any:
    try:
        import alsaaudio  # noqa: PLC0415 - built against the machine's own ALSA
    except ImportError as error:
        text = (
            f"ALSA's library cannot be loaded: {error}; run: apt install libasound2-dev gcc "
            "python3-dev, then pip install roomkeeper[alsa]"
        )
        raise DeviceLostError(text) from error
    return alsaaudio
