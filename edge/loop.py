"""The loop: who takes a step, and when. The room's state has one owner at a time.

Its thread takes what was posted and wakes when time alone changes something. Who offers a signal
while it rests takes the step in its place: one at a time, in the inbox's order.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from edge.contracts.base import Now
from edge.contracts.signals import MotionChanged, Signal
from edge.decide.core import ANSWER_S, CoreState
from edge.decide.step import Core
from edge.inbox import CROWD, Inbox
from edge.steps import TICK_S, TOGETHER, Ports, Steps

IN_NOTHING = nullcontext()
REST_S = ANSWER_S
"""How long the loop's thread rests at most: nobody wakes it for an answer that does not come."""
STOP_S = 1.0
STEPS_IN_A_ROW = 256
"""Steps taken at one go at most: plugins wait for their end, and who offers has work of its own."""
GOES = 4
"""Goes in a row of who offers at most, as it has work of its own."""
GATHER_S = 0.005
"""How long the loop's thread leaves what waits to who gathers, or just did: that takes it."""
CROWD_S = 1.0
"""How long who gathers waits at most: a loop that hangs must not silence a connection."""


class Loop:
    """Lets signals from the inbox take their steps, one after another, until `stop`."""

    def __init__(
        self, core: Core, state: CoreState, inbox: Inbox, ports: Ports, clock: Callable[[], Now]
    ) -> None:
        self.steps = Steps(core, state, inbox, ports, clock)
        self._inbox = inbox
        self._clock = clock
        self.beat = clock().mono
        """Monotonic instant at which the loop last asked for a signal: it lives."""
        self._turn = threading.Lock()
        """Held by whoever takes a step: the state has one owner at a time."""
        self._gathering: dict[int, list[Signal]] = {}
        """What threads that gather have offered so far."""
        self._gathered_at = -math.inf
        """When one of them last was at it, by the monotonic clock."""
        self._together = 0
        """Edges of motion in a row that wait for the next one's decision."""
        self._running = self._wanted = False
        self._asked = math.inf
        self._thread = threading.Thread(target=self._run, name="loop")

    @property
    def state(self) -> CoreState:
        """The latest picture."""
        return self.steps.state

    def start(self, boot: int, config_hash: str) -> None:
        """Begin with a Booted signal; `boot` makes this start's ids unique."""
        self.steps.begin(boot, config_hash)
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

    def _early(self) -> bool:
        """Return whether the loop's thread is to look sooner than it is about to."""
        if self.steps.awaits_answer:
            return False  # The thread looks before it is overdue.
        return self.steps.due(self._clock()) < self._asked - TICK_S

    def _run(self) -> None:
        self._running = True
        while True:
            now = self._clock()
            self.beat, seen = now.mono, self.state
            if not self._inbox.edges:
                self._asked = self.steps.due(now)
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
                    self.steps.wake()

    def _conclude(self) -> None:
        """Decide on what was heard, where the edge that was to follow comes no more; keep it."""
        # Behind the step under way, but who hangs in one must not keep the process from its end.
        if self._turn.acquire(timeout=STOP_S):
            try:
                self.steps.conclude()
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
        self.steps.end_go()
        return taken

    def _take(self, limit: int) -> int:
        """Take a signal, or a crowd of up to `limit`, through its step; return how many it was."""
        most = min(limit, TOGETHER - 1 - self._together)
        crowd = self._inbox.take_followed(MotionChanged, most)
        if crowd:
            self._together += len(crowd)
            self.steps.hear(crowd)
            return len(crowd)
        signal = self._inbox.take(-math.inf)
        if signal is None:
            return 0
        self.steps.take(self._crowded(signal))
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
