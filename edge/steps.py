"""What a step does: one signal through the pure parts, into the journal, to whom it concerns."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Protocol

import msgspec
import structlog
from prometheus_client import Counter, Histogram

from edge.contracts.base import Now, make_id
from edge.contracts.commands import CalendarWrite, Command
from edge.contracts.decision import Decision
from edge.contracts.signals import (
    Booted,
    MotionChanged,
    PluginAnswered,
    Signal,
    Woke,
    decode_signal,
    encode_signal,
)
from edge.contracts.wire import WantedMessage
from edge.decide.core import CoreState, Outcome
from edge.decide.events import Call
from edge.decide.step import Core
from edge.handout import Handout
from edge.inbox import Inbox
from edge.process.counting import adding

log = structlog.get_logger()
STEPS = Histogram(
    "roomkeeper_step_seconds",
    "One signal through every pure part, to its decision",
    buckets=(0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05),
)
SIGNALS = Counter("roomkeeper_signals", "Signals the loop took", ["kind"])
FAILED = Counter("roomkeeper_steps_failed", "Signals that a defect cost", ["kind"])
DECISIONS = Counter("roomkeeper_decisions", "Steps that changed anything")

IDLE_S = 30.0
FAILED_S = 1.0
TICK_S = 0.005
"""A wake-up is never asked for sooner: a pure part that errs cannot make the loop spin."""
TOGETHER = 256
"""Edges of motion that a decision is made for at most, where a crowd of them waits."""


class Record(Protocol):
    """The journal as the loop sees it: rows in, `release` called once they are durable."""

    def __call__(
        self,
        rows: Sequence[tuple[str, str, Now, bytes]],
        release: Callable[[], None] | None,
        more: bool,
    ) -> None:
        """Keep rows of (kind, id, now, body); more: others are about to follow from these."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Where outcomes go. None of these may block. watch: after each step, once after a crowd."""

    record: Record
    call: Callable[[Sequence[Call], Now, int], None]
    command: Callable[[Command], None]
    write: Callable[[CalendarWrite], None]
    wanted: Callable[[WantedMessage], None]
    watch: Callable[[Signal, Decision | None, CoreState], None]


@cache
def _counted(kind: type) -> Callable[[float], None]:
    """A label look-up per signal costs as much as handing it on."""
    return adding(SIGNALS.labels(kind.__name__))


_encoder = msgspec.json.Encoder(order="deterministic")


def encode_decision(decision: Decision) -> bytes:
    """Return the decision as JSON, the same bytes for the same decision."""
    return _encoder.encode(decision)


class Steps:
    """Takes signals through their steps, for one thread at a time; `state` is the latest picture.

    inbox: asked only whether edges wait, as what they lead to is told and kept together.
    """

    def __init__(
        self,
        core: Core,
        state: CoreState,
        inbox: Inbox,
        ports: Ports,
        clock: Callable[[], Now],
    ) -> None:
        self.core = core
        self.state = state
        self.ports = ports
        self._handout = Handout(ports.command, ports.write, ports.wanted)
        self._clock = clock
        self._inbox = inbox
        self._sequence = 0
        self._boot = 0
        self._rows: list[tuple[str, str, Now, bytes]] = []
        """What was only heard in this go: kept together with what follows from it."""
        self._calls: list[Call] = []
        """What plugins are still to hear of the steps of this go, the last at `_called_at`."""
        self._called_at = clock()
        self._not_before = self._deaf_at = -math.inf
        """Until when a defect is left time, and since when `next_due` has one: instants, as the
        loop's thread looks again and again meanwhile."""

    def begin(self, boot: int, config_hash: str) -> None:
        """Begin with a Booted signal; `boot` makes this start's ids unique."""
        self._boot = boot
        self.handle(Booted("loop", boot, config_hash), self._clock())

    @property
    def awaits_answer(self) -> bool:
        """Whether plugins' answer is under way to what was heard last: it is decided with that."""
        undecided = self.state.undecided
        return undecided is not None and not undecided.with_next

    def due(self, now: Now) -> float:
        """Return the monotonic instant at which to `wake`."""
        try:
            due, self._deaf_at = self.core.next_due(self.state, now), -math.inf
        except Exception:
            if self._deaf_at == -math.inf:
                FAILED.labels("next_due").inc()
                log.exception("next_due failed")
                self._deaf_at = now.mono
            due = self._deaf_at + IDLE_S
        return min(max(due, now.mono + TICK_S, self._not_before), now.mono + IDLE_S)

    def wake(self) -> None:
        """Take a step that time alone asks for."""
        self._deaf_at = -math.inf
        self.take(Woke())

    def take(self, signal: Signal) -> None:
        """Take one signal through its step; a defect is told, and costs that one alone."""
        self._not_before = -math.inf
        try:
            self.handle(signal, self._clock())
        except Exception:
            log.exception("step failed", signal=self._failed(type(signal).__name__))
            self._keep_heard()

    def hear(self, crowd: Sequence[MotionChanged]) -> None:
        """Take edges of which each is followed by another: each journaled, watched as one.

        What is done around a signal alone costs as much as what an edge does to the picture.
        """
        self._not_before = -math.inf
        heard, taken = None, 0
        for edge in crowd:
            # Of a text and of truths: read back from the journal, it is the same.
            signal = MotionChanged(edge.source, edge.active, with_next=True)
            try:
                outcome = self._through(signal, encode_signal(signal), self._clock())
                heard, taken = signal, taken + 1
                if outcome.decision is not None:
                    heard = None
                    self.ports.watch(signal, outcome.decision, self.state)
            except Exception:
                log.exception("step failed", signal=self._failed(type(signal).__name__))
                self._keep_heard()
        _counted(MotionChanged)(taken)
        if heard is not None:
            self._watch_heard(heard)

    def _watch_heard(self, heard: Signal) -> None:
        try:
            self.ports.watch(heard, None, self.state)
        except Exception:
            log.exception("step failed", signal=self._failed("watch"))

    def end_go(self) -> None:
        """Keep and hand on what the steps since the last time left to be done together."""
        try:
            if self._rows and not self.awaits_answer:
                self._keep(None, more=True)
            if self._calls:
                self._hand_on()
        except Exception:
            log.exception("step failed", signal=self._failed("calls"))

    def conclude(self) -> None:
        """Decide on what was heard, where the edge that was to follow comes no more; keep it."""
        if self.state.undecided is not None:
            self.take(Woke())
        self._keep_heard()

    def handle(self, signal: Signal, now: Now) -> Outcome:
        """Take one signal through the core, journal it, and hand out what follows from it.

        What is decided on is what the journal holds, so that a replay rests on the same; a signal
        that cannot be journaled (NaN, half a character) raises and changes nothing.
        """
        body = encode_signal(signal)
        if not isinstance(signal, PluginAnswered):  # which came as such a text, and may be long
            signal = decode_signal(body)
        outcome = self._through(signal, body, now)
        _counted(type(signal))(1)
        self.ports.watch(signal, outcome.decision, self.state)
        return outcome

    def _through(self, signal: Signal, body: bytes, now: Now) -> Outcome:
        """Take `signal`, journaled as `body`, through the core.

        What follows is promised, plugins are called, and it is journaled.
        """
        self._sequence += 1
        ident = make_id(self.core.settings.room, self._boot, self._sequence)
        began = perf_counter()
        self.state, outcome = self.core.step(self.state, signal, ident, now)
        ended = perf_counter()
        self._calls += outcome.calls
        self._called_at = now
        try:
            # First, as their thread takes as long to wake as all that follows here. What is about
            # to follow they hear in the same call: it costs hardly more than one.
            if self._calls and not self._inbox.edges:
                self._hand_on()
        finally:
            self._record(signal, body, ident, now, outcome)
        if self.state.undecided is None:
            STEPS.observe(ended - began)
        return outcome

    def _record(self, signal: Signal, body: bytes, ident: str, now: Now, outcome: Outcome) -> None:
        """Journal a step, and promise what follows from it once that is durable."""
        self._rows.append(("signal", ident, now, body))
        heard = outcome.decision is None and isinstance(signal, MotionChanged)
        waits = heard and bool(self._inbox.edges or self.awaits_answer)
        if waits and len(self._rows) < TOGETHER:
            return
        if outcome.decision is not None:
            DECISIONS.inc()
            decided = encode_decision(outcome.decision)
            self._rows.append(("decision", f"{ident}.d", now, decided))
        release = self._handout.promise(outcome)
        self._keep(release, bool(outcome.calls or waits))
        if not self.state.room.journaled:
            self._handout.hurry()

    def _keep(self, release: Callable[[], None] | None, more: bool) -> None:
        rows, self._rows = self._rows, []
        self.ports.record(rows, release, more)

    def _hand_on(self) -> None:
        calls, self._calls = self._calls, []
        self.ports.call(calls, self._called_at, self._sequence)

    def _keep_heard(self) -> None:
        """Keep what waits for its decision, as that may not come."""
        try:
            if self._rows:
                self._keep(None, more=False)
        except Exception:
            log.exception("rows not kept")

    def _failed(self, what: str) -> str:
        """Count a defect, and leave it time; return what it cost."""
        FAILED.labels(what).inc()
        self._not_before = self._clock().mono + FAILED_S
        return what
