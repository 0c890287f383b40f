"""The loop: the one owner of the room's state and the only caller of the pure parts.

Its thread takes what was posted and wakes when time alone changes something. Who offers a signal
while it rests takes the step in its place: one at a time, in the inbox's order.
"""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
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
from edge.decide.core import ANSWER_S, CoreState, Outcome
from edge.decide.events import Call
from edge.decide.step import Core
from edge.handout import Handout
from edge.inbox import CROWD, Inbox
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

IN_NOTHING = nullcontext()
IDLE_S = 30.0
REST_S = ANSWER_S
"""How long the loop's thread rests at most: nobody wakes it for an answer that does not come."""
FAILED_S = 1.0
STOP_S = 1.0
TOGETHER = 256
"""Edges of motion that a decision is made for at most, where a crowd of them waits."""
STEPS_IN_A_ROW = 256
"""Steps taken at one go at most: plugins wait for their end, and who offers has work of its own."""
GOES = 4
"""Goes in a row of who offers at most, as it has work of its own."""
GATHER_S = 0.005
"""How long the loop's thread leaves what waits to who gathers, or just did: that takes it."""
CROWD_S = 1.0
"""How long who gathers waits at most: a loop that hangs must not silence a connection."""
TICK_S = 0.005
"""A wake-up is never asked for sooner: a pure part that errs cannot make the loop spin."""


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
        self._turn = threading.Lock()
        """Held by whoever takes a step: the state has one owner at a time."""
        self._gathering: dict[int, list[Signal]] = {}
        """What threads that gather have offered so far."""
        self._gathered_at = -math.inf
        """When one of them last was at it, by the monotonic clock."""
        self._rows: list[tuple[str, str, Now, bytes]] = []
        """What was only heard in this go: kept together with what follows from it."""
        self._calls: list[Call] = []
        """What plugins are still to hear of the steps of this go, the last at `_called_at`."""
        self._called_at = clock()
        self._together = 0
        """Edges of motion in a row that wait for the next one's decision."""
        self._running = self._wanted = False
        self._asked = math.inf
        self._not_before = self._deaf_at = -math.inf
        """Until when a defect is left time, and since when `next_due` has one: instants, as the
        thread looks again and again meanwhile."""
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
            self._thread.join(timeout=STOP_S)
        if self._turn.acquire(timeout=STOP_S):
            self._turn.release()

    def offer(self, signal: Signal, around: AbstractContextManager[None] = IN_NOTHING) -> None:
        """Post a signal and, if the loop rests, take its step here and now, inside `around`.

        To wake the loop's thread costs as much as the step. Call it without a lock that a port,
        or whoever a port waits for, needs. `around`: where nothing else waits; it ends when others
        may take their step again.
        """
        if not self._running:
            self._inbox.post(signal)
            return
        gathered = self._gathering.get(threading.get_ident())
        if gathered is not None:
            gathered.append(signal)
            return
        self._inbox.post(signal, wake=False)
        self._serve(around)

    def post(self, signal: Signal) -> None:
        """Leave a signal to the loop's thread; behind what this thread gathers, where it does."""
        gathered = self._gathering.get(threading.get_ident())
        if gathered is None or not self._running:
            self._inbox.post(signal)
        else:
            gathered.append(signal)

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Take what this thread offers inside together, at the end; wait while it is too much."""
        this, gathered = threading.get_ident(), list[Signal]()
        self._gathering[this] = gathered
        try:
            yield
        finally:
            del self._gathering[this]
            self._inbox.post_all(gathered, wake=False)
            if self._running:
                self._serve()
            self._gathered_at = self._clock().mono
            if self._inbox.edges >= CROWD:
                self._inbox.wake()  # or the loop's thread leaves it to us
                self._inbox.wait_for_room(CROWD_S)

    def _serve(self, around: AbstractContextManager[None] = IN_NOTHING) -> None:
        """Take what waits here and now, unless somebody is at it."""
        taken = 0
        if around is not IN_NOTHING and self._inbox.edges == 1:
            with around:
                taken = self._take_turns(1)
                if self._inbox.edges:
                    self._inbox.wake()  # `around` may take long to end
        for _ in range(GOES):
            took = self._take_turns(STEPS_IN_A_ROW)
            taken += took
            if took < STEPS_IN_A_ROW:
                break
        # To wake a thread may cost as much as to hear of a dozen edges.
        if (taken >= GOES * STEPS_IN_A_ROW and self._inbox.edges) or (taken and self._early()):
            self._inbox.wake()

    def _take_turns(self, limit: int) -> int:
        """Take up to `limit` signals, unless somebody is at it; return how many there were."""
        taken = 0
        # Whoever is at it looks once more behind us; who waits for its turn goes first.
        while (
            taken < limit
            and self._inbox.edges
            and not (self._wanted or self._inbox.closed)
            and self._turn.acquire(blocking=False)
        ):
            try:
                taken += self._go(limit - taken)
            finally:
                self._turn.release()
        return taken

    @property
    def _awaits_answer(self) -> bool:
        """Whether plugins' answer is under way to what was heard last: it is decided with that."""
        undecided = self.state.undecided
        return undecided is not None and not undecided.with_next

    def _early(self) -> bool:
        """Return whether the loop's thread is to look sooner than it is about to."""
        if self._awaits_answer:
            return False  # The thread looks before it is overdue.
        return self._due(self._clock()) < self._asked - TICK_S

    def _run(self) -> None:
        self._running = True
        while True:
            now = self._clock()
            self.beat, seen = now.mono, self.state
            if not self._inbox.edges:
                self._asked = self._due(now)
            if self._gathering or now.mono < self._gathered_at + GATHER_S:
                self._inbox.leave(GATHER_S)
            self._inbox.wait(min(self._asked, now.mono + REST_S))
            if self._inbox.closed:
                self._conclude()
                return
            self._wanted = True
            with self._turn:
                self._wanted = False
                late = self._clock().mono >= self._asked and self.state is seen
                if not self._go(STEPS_IN_A_ROW) and late:
                    self._deaf_at = -math.inf
                    self._step(Woke())

    def _conclude(self) -> None:
        """Decide on what was heard, where the edge that was to follow comes no more; keep it."""
        # Behind the step under way, but who hangs in one must not keep the process from its end.
        if self._turn.acquire(timeout=STOP_S):
            try:
                if self.state.undecided is not None:
                    self._step(Woke())
                self._keep_heard()
            finally:
                self._turn.release()

    def _go(self, limit: int) -> int:
        """Take up to `limit` signals through their steps; return how many there were."""
        taken = 0
        while taken < limit and not (taken and self._wanted):
            took = self._take(limit - taken)
            if not took:
                break
            taken += took
        try:
            if self._rows and not self._awaits_answer:
                self._keep(None, more=True)
            if self._calls:
                self._hand_on()
        except Exception:
            log.exception("step failed", signal=self._failed("calls"))
        return taken

    def _take(self, limit: int) -> int:
        """Take a signal, or a crowd of up to `limit`, through its step; return how many it was."""
        most = min(limit, TOGETHER - 1 - self._together)
        crowd = self._inbox.take_followed(MotionChanged, most)
        if crowd:
            self._together += len(crowd)
            self._hear(crowd)
            return len(crowd)
        signal = self._inbox.take(-math.inf)
        if signal is None:
            return 0
        self._step(self._crowded(signal))
        return 1

    def _crowded(self, signal: Signal) -> Signal:
        """Let the room decide once for a crowd of motion, and for one and its answer.

        To decide costs more than to hear.
        """
        if not isinstance(signal, MotionChanged) or self._together >= TOGETHER - 1:
            self._together = 0
            return signal
        self._together += 1
        follows = self._inbox.followed_by(MotionChanged)
        return MotionChanged(signal.source, signal.active, follows, not follows)

    def _step(self, signal: Signal) -> None:
        self._not_before = -math.inf
        try:
            self.handle(signal, self._clock())
        except Exception:
            # A defect in a pure part costs this one signal, never the room.
            log.exception("step failed", signal=self._failed(type(signal).__name__))
            self._keep_heard()

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

    def _due(self, now: Now) -> float:
        try:
            due, self._deaf_at = self.core.next_due(self.state, now), -math.inf
        except Exception:
            if self._deaf_at == -math.inf:
                FAILED.labels("next_due").inc()
                log.exception("next_due failed")
                self._deaf_at = now.mono
            due = self._deaf_at + IDLE_S
        return min(max(due, now.mono + TICK_S, self._not_before), now.mono + IDLE_S)

    def _hear(self, crowd: Sequence[MotionChanged]) -> None:
        """Take edges of which each is followed by another: each journaled, watched as one.

        What is done around a signal alone costs as much as what an edge does to the picture.
        """
        self._not_before = -math.inf
        heard, taken = None, 0
        for edge in crowd:
            # Of a text and of truths: read back from the journal, it is the same.
            signal = MotionChanged(edge.source, edge.active, with_next=True)
            try:
                outcome, _ = self._through(signal, encode_signal(signal), self._clock())
                heard, taken = signal, taken + 1
                if outcome.decision is not None:
                    heard = None
                    self._ports.watch(signal, outcome.decision, self.state)
            except Exception:
                log.exception("step failed", signal=self._failed(type(signal).__name__))
                self._keep_heard()
        _counted(MotionChanged)(taken)
        if heard is not None:
            self._watch_heard(heard)

    def _watch_heard(self, heard: Signal) -> None:
        try:
            self._ports.watch(heard, None, self.state)
        except Exception:
            log.exception("step failed", signal=self._failed("watch"))

    def handle(self, signal: Signal, now: Now) -> Outcome:
        """Take one signal through the core, journal it, and hand out what follows from it.

        What is decided on is what the journal holds, so that a replay rests on the same; a signal
        that cannot be journaled (NaN, half a character) raises and changes nothing.
        """
        body = encode_signal(signal)
        if not isinstance(signal, PluginAnswered):  # which came as such a text, and may be long
            signal = decode_signal(body)
        outcome, took = self._through(signal, body, now)
        if self.state.undecided is None:
            STEPS.observe(took)
        _counted(type(signal))(1)
        self._ports.watch(signal, outcome.decision, self.state)
        return outcome

    def _through(self, signal: Signal, body: bytes, now: Now) -> tuple[Outcome, float]:
        """Take `signal`, journaled as `body`, through the core; return how many seconds that took.

        What follows is promised, plugins are called, and it is journaled.
        """
        self._sequence += 1
        ident = make_id(self.core.settings.room, self._boot, self._sequence)
        began = perf_counter()
        self.state, outcome = self.core.step(self.state, signal, ident, now)
        took = perf_counter() - began
        self._calls += outcome.calls
        self._called_at = now
        try:
            # First, as their thread takes as long to wake as all that follows here. What is about
            # to follow they hear in the same call: it costs hardly more than one.
            if self._calls and not self._inbox.edges:
                self._hand_on()
        finally:
            self._record(signal, body, ident, now, outcome)
        return outcome, took

    def _record(self, signal: Signal, body: bytes, ident: str, now: Now, outcome: Outcome) -> None:
        """Journal a step, and promise what follows from it once that is durable."""
        self._rows.append(("signal", ident, now, body))
        heard = outcome.decision is None and isinstance(signal, MotionChanged)
        waits = heard and bool(self._inbox.edges or self._awaits_answer)
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
        self._ports.record(rows, release, more)

    def _hand_on(self) -> None:
        calls, self._calls = self._calls, []
        self._ports.call(calls, self._called_at, self._sequence)
