"""A month of meetings and their machines: seeded people, the real plan, boots as measured.

Nothing waits: the simulation goes from one instant at which something happens to the next.
"""

import heapq
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cloud_bridge.plan import failed, plan
from cloud_bridge.types import (
    Attempt,
    Capacity,
    Create,
    Delete,
    Forget,
    GiveUp,
    Machine,
    Records,
    Renew,
    Template,
    Wanted,
)
from edge.contracts.base import Now
from edge.contracts.wire import WantedMachine

T0 = 1_780_012_800.0
"""A Friday, midnight UTC; the simulated weeks just repeat five days of work and two without."""
DAY_S, HOUR_S, MINUTE_S = 86400.0, 3600.0, 60.0
WINDOW_S = 36 * HOUR_S
NO_SHOW_S = 600.0
ENDING_S = 2.0
BOOTS_KEPT = 200


@dataclass(frozen=True, slots=True)
class People:
    """How they book, as chances of one meeting. Made up, and the same for every strategy."""

    moved: float = 0.10
    cancelled: float = 0.08
    no_show: float = 0.20
    overrun: float = 0.15
    shortened: float = 0.10
    spontaneous: float = 0.05
    """Booked less than five minutes ahead."""


@dataclass(slots=True)
class Booking:
    """One meeting: what the room wants for it, and what people really do."""

    key: str
    room: str
    template: str
    start: float
    end: float
    booked: float
    known_since: float
    """Instant since which its start is what it was in the end."""
    came: bool = True
    cancelled: bool = False


@dataclass(slots=True)
class Month:
    """What came of it. Hours: of machines that exist, whatever their phase."""

    meetings: int = 0
    early: int = 0
    """Meetings that took place and were known five minutes ahead."""
    early_ready: int = 0
    late: int = 0
    late_ready: int = 0
    refused: int = 0
    hours: float = 0.0
    calendar_hours: float = 0.0
    most_memory_mib: int = 0
    plans: int = 0
    doubles: int = 0
    overdue: int = 0
    """Machines that were there after lease and grace and a plan's period."""
    slack: list[float] = field(default_factory=list)
    """Seconds from ready to start."""


def bookings(rooms: int, days: int, seed: int, people: People) -> list[tuple[float, str, Booking]]:
    """Return (instant, what, booking) in order: book, move, cancel, release, extend, end."""
    chance = random.Random(seed)
    happenings: list[tuple[float, str, Booking]] = []
    for room in range(rooms):
        for day in range(days):
            if day % 7 in (1, 2):
                continue
            at = T0 + day * DAY_S + 8 * HOUR_S
            while at < T0 + day * DAY_S + 18 * HOUR_S:
                length = chance.choice((30, 45, 60, 60, 90, 120)) * MINUTE_S
                gap = chance.choice((0, 0, 15, 30, 60)) * MINUTE_S
                if chance.random() < 0.4:
                    number = len(happenings)
                    key = f"{room}-{day}-{number}"
                    happenings += _one(chance, key, f"room-{room}", at, length, people)
                at += length + gap
    return sorted(happenings, key=lambda item: (item[0], item[2].key, item[1]))


def _one(
    chance: random.Random, key: str, room: str, start: float, length: float, people: People
) -> list[tuple[float, str, Booking]]:
    ahead = (
        chance.uniform(0, 299)
        if chance.random() < people.spontaneous
        else chance.choice((6 * MINUTE_S, HOUR_S, 8 * HOUR_S, 3 * DAY_S))
    )
    template = "large" if chance.random() < 0.2 else "small"
    booked = max(T0, start - ahead)
    one = Booking(key, room, template, start, start + length, booked, booked)
    happenings = [(booked, "book", one)]
    if chance.random() < people.moved and ahead > HOUR_S:
        one.known_since = chance.uniform(booked, start - 6 * MINUTE_S)
        one.start = start + chance.choice((-30, 15, 30)) * MINUTE_S
        one.start = max(one.start, one.known_since + 6 * MINUTE_S)
        one.end = one.start + length
        happenings.append((one.known_since, "move", one))
    if chance.random() < people.cancelled:
        one.cancelled = True
        happenings.append((chance.uniform(booked, one.start), "cancel", one))
        return happenings
    if chance.random() < people.no_show:
        one.came = False
        happenings.append((one.start + NO_SHOW_S, "release", one))
    elif chance.random() < people.overrun:
        happenings.append((one.end - MINUTE_S, "extend", one))
        happenings.append((one.end + chance.uniform(1, 14) * MINUTE_S, "end", one))
    elif chance.random() < people.shortened:
        happenings.append((one.start + length * chance.uniform(0.4, 0.9), "end", one))
    return happenings


class World:
    """Rooms' wishes and a host that boots as was measured; `live` goes through the month."""

    def __init__(
        self,
        templates: Mapping[str, Template],
        capacity: Capacity,
        measured: Sequence[float],
        seed: int,
        failing: float = 0.01,
    ) -> None:
        """measured: seconds of real boots, drawn from again and again; failing: boots that fail."""
        self._templates, self._capacity = templates, capacity
        self._measured, self._failing = measured, failing
        self._chance = random.Random(seed)
        self._wishes: dict[str, tuple[str, WantedMachine]] = {}
        self._held: dict[str, Machine] = {}
        self._attempts: dict[str, Attempt] = {}
        self._boots: dict[str, list[float]] = {}
        self._heard: dict[str, float] = {}
        self._ready_at: dict[str, float] = {}
        self._bookings: dict[str, Booking] = {}
        self._refused_now: frozenset[str] = frozenset()
        self._later: list[tuple[float, int, str, str]] = []
        self._count = 0
        self.month = Month()

    def live(self, happenings: Sequence[tuple[float, str, Booking]]) -> Month:
        """Return what came of the month."""
        coming = list(happenings)
        coming.reverse()
        due = float("inf")
        now = T0
        while coming or self._wishes or self._held:
            next_at = min(
                due,
                coming[-1][0] if coming else float("inf"),
                self._later[0][0] if self._later else float("inf"),
                self._enters(now),
            )
            if next_at == float("inf"):
                break
            self._pass(max(next_at, now) - now)
            now = max(next_at, now)
            while coming and coming[-1][0] <= now:
                _, what, one = coming.pop()
                self._happens(what, one)
            while self._later and self._later[0][0] <= now:
                _, _, what, key = heapq.heappop(self._later)
                self._machine_changes(what, key, now)
            self._over(now)
            due = self._plan(now)
        return self.month

    def _enters(self, now: float) -> float:
        """Return when the next wish comes within the rooms' window, or ends."""
        instants = [row.start - WINDOW_S for _, row in self._wishes.values()]
        instants += [row.start for _, row in self._wishes.values()]
        instants += [row.end for _, row in self._wishes.values()]
        return min((at for at in instants if at > now), default=float("inf"))

    def _pass(self, seconds: float) -> None:
        self.month.hours += len(self._held) * seconds / HOUR_S

    def _happens(self, what: str, one: Booking) -> None:
        wish = self._wishes.get(one.key)
        if what == "book":
            self._wishes[one.key] = one.room, self._row(one, one.start, one.end)
            self._book(one)
        elif wish is None:
            return
        elif what in ("cancel", "release", "end"):
            del self._wishes[one.key]
        elif what == "move":
            self._wishes[one.key] = one.room, self._row(one, one.start, one.end)
        elif what == "extend":
            self._wishes[one.key] = one.room, self._row(one, one.start, one.end + 15 * MINUTE_S)

    def _row(self, one: Booking, start: float, end: float) -> WantedMachine:
        return WantedMachine(one.key, f"m-{one.key}", one.template, start, end)

    def _book(self, one: Booking) -> None:
        template = self._templates[one.template]
        self.month.meetings += 1
        if not one.cancelled:
            held = one.end - one.start + template.lead_s + template.grace_s
            self.month.calendar_hours += held / HOUR_S
            heapq.heappush(self._later, (one.start, self._next(), "judge", one.key))
            self._bookings[one.key] = one

    def _over(self, now: float) -> None:
        for key, (_, row) in list(self._wishes.items()):
            if row.end <= now:
                del self._wishes[key]

    def _machine_changes(self, what: str, key: str, now: float) -> None:
        if what == "judge":
            self._started(self._bookings[key], now)
            return
        machine = self._held.get(key)
        if machine is None:
            return
        if what == "ready" and machine.phase == "booting":
            self._held[key] = replace(machine, phase="ready")
            self._boots.setdefault(machine.template, []).append(now - machine.created)
            del self._boots[machine.template][:-BOOTS_KEPT]
            self._ready_at[key] = now
        elif what == "dead":
            self._held[key] = replace(machine, phase="dead")
        elif what == "gone" and machine.phase == "ending":
            del self._held[key]

    def _started(self, one: Booking, now: float) -> None:
        """Judge at the start of a meeting whether its machine is ready."""
        if now < one.start:
            heapq.heappush(self._later, (one.start, self._next(), "judge", one.key))
            return
        machine = self._held.get(one.key)
        ready = machine is not None and machine.phase == "ready"
        if one.key in self._refused_now:
            self.month.refused += 1
        elif one.start - one.known_since >= 5 * MINUTE_S:
            self.month.early += 1
            self.month.early_ready += ready
            if ready:
                self.month.slack.append(now - self._ready_at[one.key])
        else:
            self.month.late += 1
            self.month.late_ready += ready

    def _plan(self, now: float) -> float:
        rows = tuple(w for w in self._wishes.values() if w[1].start <= now + WINDOW_S)
        wanted = Wanted(frozenset(room for room, _ in self._wishes.values()) | self._rooms(), rows)
        keys = {row.key for _, row in rows}
        self._heard = {key: self._heard.get(key, now) for key in keys}
        records = Records(tuple(self._attempts.values()), (), dict(self._boots), dict(self._heard))
        planned = plan(
            wanted, self._held.values(), records, self._templates, self._capacity, Now(now, now)
        )
        self.month.plans += 1
        self._refused_now = frozenset(s.key for s in planned.standings if s.phase == "refused")
        for action in planned.actions:
            self._act(action, now)
        memory = sum(machine.memory_mib for machine in self._held.values())
        self.month.most_memory_mib = max(self.month.most_memory_mib, memory)
        for machine in self._held.values():
            limit = machine.until + machine.grace_s + 1.0
            self.month.overdue += machine.phase != "ending" and now > limit
        return max(planned.next_due, now)

    def _rooms(self) -> frozenset[str]:
        return frozenset(room for machine in self._held.values() for room in machine.rooms)

    def _act(self, action: object, now: float) -> None:
        match action:
            case Create(key, meeting, rooms, template, until):
                self.month.doubles += key in self._held
                self._held[key] = Machine(
                    key, meeting, rooms, template.name, "booting", until, now,
                    template.memory_mib, template.grace_s,
                )  # fmt: skip
                fails = self._chance.random() < self._failing
                seconds = self._chance.choice(self._measured)
                what, after = ("dead", seconds / 2) if fails else ("ready", seconds)
                heapq.heappush(self._later, (now + after, self._next(), what, key))
            case Renew(key, until):
                self._held[key] = replace(self._held[key], until=until)
            case Delete(key, reason, is_failed):
                self._held[key] = replace(self._held[key], phase="ending")
                heapq.heappush(self._later, (now + ENDING_S, self._next(), "gone", key))
                if is_failed:
                    tried = self._attempts.get(key)
                    self._attempts[key] = failed(tried, key, reason, Now(now, now))
            case GiveUp(key, reason):
                self._attempts[key] = replace(self._attempts[key], given_up=True, reason=reason)
            case Forget(key):
                del self._attempts[key]

    def _next(self) -> int:
        self._count += 1
        return self._count
