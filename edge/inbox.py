"""The one bounded queue into the loop: edges in order, levels latest-wins and thinned."""

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import Counter

from edge.contracts.signals import (
    NodeReading,
    OccupancyEstimated,
    PeopleCounted,
    Signal,
    SoundMeasured,
    level_slot,
)

OVERWRITTEN = Counter("roomkeeper_levels_overwritten", "Unread levels replaced by newer ones")
UNCHANGED = Counter("roomkeeper_levels_unchanged", "Levels dropped because they said nothing new")

S = TypeVar("S", bound=Signal)

EDGE_LIMIT = 20_000
CROWD = 512
"""Edges at which whoever can let its sender wait should: answers queue behind them."""
EDGES_IN_A_ROW = 256
THIN_S = 1.0
REFRESH_S = 5.0
CLIPPED_STEP = 0.001


@dataclass(slots=True)
class _Slot:
    taken_at: float
    last: Signal


class Inbox:
    """Where sources post and the loop takes. Thread-safe.

    A level waits until a second after the last one of its slot was taken, and is dropped when it
    says nothing new within REFRESH_S (staleness is judged on what arrives). An edge is never
    dropped: with EDGE_LIMIT unread ones the poster waits.
    """

    def __init__(self, mono: Callable[[], float]) -> None:
        self._mono = mono
        self._edges: deque[Signal] = deque()
        self._levels: OrderedDict[str, Signal] = OrderedDict()
        self._slots: dict[str, _Slot] = {}
        # Taken itself, in C: the condition's own way to it is Python, at every signal.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._closed = False
        self._woken = False
        """Somebody is to look anew, perhaps one who was not waiting just then."""
        self._taker = 0
        self._in_a_row = 0

    def post(self, signal: Signal, *, wake: bool = True) -> None:
        """Hand a signal to the loop; after `close` it is ignored. wake: whoever waits for one."""
        self.post_all((signal,), wake=wake)

    def post_all(self, signals: Sequence[Signal], *, wake: bool = True) -> None:
        """Hand signals to the loop, in order, as `post` does each."""
        with self._lock:
            for signal in signals:
                slot = level_slot(signal)
                if slot is None:
                    while self._full():
                        self._changed.wait()
                    if not self._closed:
                        self._edges.append(signal)
                elif not self._closed:
                    if slot in self._levels:
                        OVERWRITTEN.inc()
                    self._levels[slot] = signal
            if wake:
                self._changed.notify_all()

    def followed_by(self, kind: type) -> bool:
        """Return whether an edge of that kind is the next to be taken; for who takes, alone."""
        # Without the lock: others only append.
        follows = self._edges and self._in_a_row < EDGES_IN_A_ROW
        return bool(follows and isinstance(self._edges[0], kind))

    def take_followed(self, kind: type[S], limit: int) -> list[S]:
        """Return up to `limit` edges of a kind of which each is followed by another, none waiting.

        For who takes, alone.
        """
        found: list[S] = []
        with self._lock:
            self._taker = threading.get_ident()
            edges, before = self._edges, len(self._edges)
            most = min(limit, EDGES_IN_A_ROW - 1 - self._in_a_row, before - 1)
            while len(found) < most and not self._closed:
                first = edges[0]
                if not (isinstance(first, kind) and isinstance(edges[1], kind)):
                    break
                found.append(first)
                edges.popleft()
            self._in_a_row += len(found)
            if any(len(edges) < bound <= before for bound in (CROWD, EDGE_LIMIT)):
                self._changed.notify_all()
        return found

    @property
    def edges(self) -> int:
        """How many edges wait."""
        return len(self._edges)

    def wait(self, until: float) -> None:
        """Return when there may be something to take, at `until`, when woken or closed."""
        with self._lock:
            now = self._mono()
            ripe_at = self._ripe_at(now)
            due = self._edges or self._woken or ripe_at <= now or now >= until
            if not (self._closed or due):
                self._changed.wait(min(until, ripe_at, now + 60.0) - now)
            self._woken = False

    def leave(self, seconds: float) -> None:
        """Return when woken or closed, after `seconds` at the latest, whatever waits."""
        with self._lock:
            if self._edges and not (self._woken or self._closed):
                self._changed.wait(seconds)

    def wait_for_room(self, seconds: float) -> None:
        """Return when there is no crowd of edges any more, or after `seconds`."""
        with self._lock:
            self._changed.wait_for(lambda: self._closed or len(self._edges) < CROWD, seconds)

    def wake(self) -> None:
        """Let whoever waits, or is about to, look anew."""
        with self._lock:
            self._woken = True
            self._changed.notify_all()

    def take(self, until: float) -> Signal | None:
        """Return the next signal, or None at the monotonic instant `until` or when closed."""
        with self._lock:
            self._taker = threading.get_ident()
            while not self._closed:
                # A flood of edges delays levels, but never makes them go stale.
                if self._edges and self._in_a_row < EDGES_IN_A_ROW:
                    self._in_a_row += 1
                    if len(self._edges) in (CROWD, EDGE_LIMIT):
                        self._changed.notify_all()
                    return self._edges.popleft()
                self._in_a_row = 0
                if not (self._edges or self._levels) and until == -math.inf:
                    return None
                now = self._mono()
                level, ripe_at = self._ripe(now)
                if level is not None:
                    return level
                if self._edges:
                    continue
                if now >= until:
                    return None
                self._changed.wait(min(until, ripe_at, now + 60.0) - now)
            return None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Wake every waiter; nothing is taken any more."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()

    def _full(self) -> bool:
        """Whether a poster has to wait; the thread that takes never does, as nobody else takes."""
        full = len(self._edges) >= EDGE_LIMIT and not self._closed
        return full and threading.get_ident() != self._taker

    def _ripe_at(self, now: float) -> float:
        """Return when a level may be taken or is found to say nothing new."""
        earliest = math.inf
        for name, signal in self._levels.items():
            slot = self._slots.get(name)
            if slot is None or (now - slot.taken_at < REFRESH_S and near(slot.last, signal)):
                return now
            earliest = min(earliest, slot.taken_at + THIN_S)
        return earliest

    def _ripe(self, now: float) -> tuple[Signal | None, float]:
        """Return a level that may be taken now, and when the next one may be."""
        earliest = float("inf")
        for name, signal in list(self._levels.items()):
            slot = self._slots.get(name)
            if slot is not None and now - slot.taken_at < REFRESH_S and near(slot.last, signal):
                del self._levels[name]
                UNCHANGED.inc()
                continue
            ripe_at = now if slot is None else slot.taken_at + THIN_S
            if ripe_at <= now:
                del self._levels[name]
                self._slots[name] = _Slot(now, signal)
                return signal, now
            earliest = min(earliest, ripe_at)
        return None, earliest


def near(one: Signal, other: Signal) -> bool:
    """Return whether two levels of one slot say the same, within what a sensor can tell apart."""
    match one, other:
        case PeopleCounted(), PeopleCounted():
            return one.count == other.count
        case SoundMeasured(), SoundMeasured():
            same_side = (one.voice >= 0.5) == (other.voice >= 0.5)
            same_voice = same_side and abs(one.voice - other.voice) < 0.2
            same_clipping = abs(one.clipped - other.clipped) < CLIPPED_STEP
            return same_voice and same_clipping and abs(one.level_db - other.level_db) < 3.0
        case NodeReading(), NodeReading():
            return abs(one.value - other.value) <= _STEP[one.quantity]
        case OccupancyEstimated(), OccupancyEstimated():
            return abs(one.probability - other.probability) < 0.05
        case _:
            return False


_STEP = {"temperature": 0.1, "humidity": 0.5, "co2": 10.0, "illuminance": 10.0}
