"""Which machines answer: asked again and again, so that none waits for another's silence."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import structlog

from cloud_bridge.types import Machine
from cloud_bridge.vms.answers import answers

log = structlog.get_logger()

BOOTING_S, READY_S = 0.05, 5.0
UNSURE = 3
"""So many unanswered questions before silence counts."""
ASKED = 16
"""So many machines are asked at once; a silent one takes its place for a time-out."""

Verdict = Literal["unknown", "silent", "ready", "lost"]


@dataclass
class _Watched:
    machine: Machine
    was_ready: bool
    due: float = 0.0
    misses: int = 0
    asking: bool = False


class Readiness:
    """Asks every watched machine for its page; `on_change` is called when a verdict changes.

    unknown: not asked often enough; silent: never answered; lost: answered once, not any more.
    """

    def __init__(
        self,
        on_change: Callable[[], None],
        ask: Callable[[Machine], bool] = answers,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_change = on_change
        self._ask = ask
        self._mono = mono
        self._watched: dict[str, _Watched] = {}
        self._asking = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        # A guest that takes a question and never answers must not hold up the process's end.
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Stop asking, within half a second; what is being asked then is left without an answer."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(0.5)

    def watch(self, machines: Iterable[Machine]) -> None:
        """Ask these machines and no others; one that is `ready` already was before."""
        with self._lock:
            before, self._watched = self._watched, {}
            for machine in machines:
                known = before.get(machine.key)
                if known is None or known.machine.token != machine.token:
                    known = _Watched(machine, machine.phase == "ready")
                elif known.machine.address != machine.address:
                    # A provider may tell it only once a host has the machine.
                    known = _Watched(machine, known.was_ready)
                self._watched[machine.key] = known

    def verdict(self, machine: Machine) -> Verdict:
        """Return what is known of the machine."""
        with self._lock:
            watched = self._watched.get(machine.key)
            if watched is None or watched.machine.token != machine.token:
                return "unknown"
            return _verdict(watched)

    def _run(self) -> None:
        while not self._stop.wait(BOOTING_S):
            for watched in self._due():
                try:
                    threading.Thread(
                        target=self._question, args=(watched,), name="readiness-asks", daemon=True
                    ).start()
                except RuntimeError as error:  # no thread left: whoever waits is asked later
                    log.warning("machine not asked", key=watched.machine.key, reason=str(error))
                    self._not_asked(watched)

    def _due(self) -> list[_Watched]:
        """Return whom to ask now, who waits longest first; each is marked as being asked."""
        now = self._mono()
        with self._lock:
            free = ASKED - self._asking
            due = (each for each in self._watched.values() if each.due <= now and not each.asking)
            found = sorted(due, key=lambda each: each.due)[:free]
            for watched in found:
                watched.asking = True
            self._asking += len(found)
            return found

    def _question(self, watched: _Watched) -> None:
        answered = False
        try:
            answered = self._ask(watched.machine)
        finally:
            self._note(watched, answered)

    def _not_asked(self, watched: _Watched) -> None:
        with self._lock:
            self._asking -= 1
            watched.asking = False
            watched.due = self._mono() + READY_S

    def _note(self, watched: _Watched, answered: bool) -> None:
        with self._lock:
            self._asking -= 1
            watched.asking = False
            before = _verdict(watched)
            watched.was_ready = watched.was_ready or answered
            watched.misses = 0 if answered else watched.misses + 1
            watched.due = self._mono() + (READY_S if answered else BOOTING_S)
            changed = _verdict(watched) != before
        if changed:
            self._on_change()


def _verdict(watched: _Watched) -> Verdict:
    if watched.was_ready:
        return "lost" if watched.misses >= UNSURE else "ready"
    return "silent" if watched.misses >= UNSURE else "unknown"
