"""The loop: the one thread that owns the room's state and the only caller of the pure parts."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog
from prometheus_client import Counter, Histogram

from edge.contracts.base import Now, make_id
from edge.contracts.commands import CalendarWrite, Command
from edge.contracts.decision import Decision
from edge.contracts.signals import Booted, Signal, Woke, decode_signal, encode_signal
from edge.contracts.wire import WantedMessage
from edge.decide.core import CoreState, Outcome
from edge.decide.events import Call
from edge.decide.step import Core
from edge.handout import Handout
from edge.inbox import Inbox

log = structlog.get_logger()
STEPS = Histogram(
    "roomkeeper_step_seconds",
    "One signal through every pure part",
    buckets=(0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05),
)
SIGNALS = Counter("roomkeeper_signals", "Signals the loop took", ["kind"])
FAILED = Counter("roomkeeper_steps_failed", "Signals that a defect cost", ["kind"])
DECISIONS = Counter("roomkeeper_decisions", "Steps that changed anything")

IDLE_S = 30.0
FAILED_S = 1.0
TICK_S = 0.005
"""A wake-up is never asked for sooner: a pure part that errs cannot make the loop spin."""


class Record(Protocol):
    """The journal as the loop sees it: rows in, `release` called once they are durable."""

    def __call__(
        self, rows: Sequence[tuple[str, str, Now, bytes]], release: Callable[[], None] | None
    ) -> None:
        """Keep rows of (kind, id, now, body)."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Where outcomes go. None of these may block."""

    record: Record
    call: Callable[[Call, Now, int], None]
    command: Callable[[Command], None]
    write: Callable[[CalendarWrite], None]
    wanted: Callable[[WantedMessage], None]
    watch: Callable[[Signal, Decision | None, CoreState], None]


_encoder = msgspec.json.Encoder(order="deterministic")


def encode_decision(decision: Decision) -> bytes:
    """Return the decision as JSON, the same bytes for the same decision."""
    return _encoder.encode(decision)


class Loop:
    """Takes signals from the inbox until `stop`; `state` is the latest immutable picture."""

    def __init__(
        self, core: Core, state: CoreState, inbox: Inbox, ports: Ports, clock: Callable[[], Now]
    ) -> None:
        self.core = core
        self.state = state
        self._inbox = inbox
        self._ports = ports
        self._handout = Handout(ports.command, ports.write, ports.wanted)
        self._clock = clock
        self._sequence = 0
        self._boot = 0
        self.beat = clock().mono
        """Monotonic instant at which the loop last asked for a signal: it lives."""
        self._thread = threading.Thread(target=self._run, name="loop")

    def start(self, boot: int, config_hash: str) -> None:
        """Begin with a Booted signal; `boot` makes this start's ids unique."""
        self._boot = boot
        self.handle(Booted("loop", boot, config_hash), self._clock())
        self._thread.start()

    def stop(self) -> None:
        """Close the inbox and wait for the step under way."""
        self._inbox.close()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        soonest = TICK_S
        while True:
            now = self._clock()
            self.beat = now.mono
            signal = self._inbox.take(self._due(now, soonest))
            if signal is None:
                if self._inbox.closed:
                    return
                signal = Woke()
            soonest = TICK_S
            try:
                self.handle(signal, self._clock())
            except Exception:
                # A defect in a pure part costs this one signal, never the room.
                FAILED.labels(type(signal).__name__).inc()
                log.exception("step failed", signal=type(signal).__name__)
                soonest = FAILED_S

    def _due(self, now: Now, soonest: float) -> float:
        try:
            due = self.core.next_due(self.state, now)
        except Exception:
            FAILED.labels("next_due").inc()
            log.exception("next_due failed")
            due = now.mono + IDLE_S
        return min(max(due, now.mono + soonest), now.mono + IDLE_S)

    def handle(self, signal: Signal, now: Now) -> Outcome:
        """Take one signal through the core, journal it, and hand out what follows from it.

        What is decided on is what the journal holds, so that a replay rests on the same; a signal
        that cannot be journaled (NaN, half a character) raises and changes nothing.
        """
        body = encode_signal(signal)
        signal = decode_signal(body)
        self._sequence += 1
        ident = make_id(self.core.settings.room, self._boot, self._sequence)
        with STEPS.time():
            self.state, outcome = self.core.step(self.state, signal, ident, now)
        SIGNALS.labels(type(signal).__name__).inc()
        rows = [("signal", ident, now, body)]
        if outcome.decision is not None:
            DECISIONS.inc()
            rows.append(("decision", f"{ident}.d", now, encode_decision(outcome.decision)))
        self._ports.record(rows, self._handout.promise(outcome))
        if not self.state.room.journaled:
            self._handout.hurry()
        for call in outcome.calls:
            self._ports.call(call, now, self._sequence)
        self._ports.watch(signal, outcome.decision, self.state)
        return outcome
