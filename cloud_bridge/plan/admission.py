"""Which machines the host has room for, over the whole time each would exist. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloud_bridge.types import Capacity

CANDIDATES = 64
"""So many later instants are tried for a machine that does not fit."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a machine takes from its host."""

    memory_mib: int
    vcpus: int = 0
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """A size from `begin` to `end`, wall seconds; owner: whose quota it counts against."""

    key: str
    begin: float
    end: float
    size: Size
    owner: str = ""


class Calendar:
    """What is promised, as steps over time. Not for sharing: one is made for each plan."""

    def __init__(self, capacity: Capacity, quota: int = 0) -> None:
        """`quota`: machines of one owner at once; 0: any."""
        self._capacity = capacity
        self._quota = quota
        self._times: list[float] = [float("-inf")]
        self._steps: list[tuple[int, int, int]] = [(0, 0, 0)]
        self._owned: dict[str, list[Claim]] = {}

    def take(self, claim: Claim) -> None:
        """Promise a claim, whether it fits or not."""
        if claim.end <= claim.begin:
            return
        first, last = self._cut(claim.begin), self._cut(claim.end)
        size = claim.size
        for place in range(first, last):
            memory, vcpus, gpus = self._steps[place]
            self._steps[place] = (
                memory + size.memory_mib,
                vcpus + size.vcpus,
                gpus + size.gpus,
            )
        if claim.owner:
            self._owned.setdefault(claim.owner, []).append(claim)

    def lacks(self, claim: Claim) -> str:
        """Return what there is too little of for a claim, in words; "" when it fits."""
        memory, vcpus, gpus = self._peak(claim.begin, claim.end)
        capacity, size = self._capacity, claim.size
        free = capacity.memory_mib - memory
        if size.memory_mib > free:
            return f"needs {size.memory_mib} MiB, {free} of {capacity.memory_mib} MiB are free"
        if capacity.vcpus and size.vcpus > capacity.vcpus - vcpus:
            left = capacity.vcpus - vcpus
            return f"needs {size.vcpus} cores, {left} of {capacity.vcpus} are free"
        if size.gpus > capacity.gpus - gpus:
            return f"needs {size.gpus} GPU, {capacity.gpus - gpus} of {capacity.gpus} are free"
        if self._quota and self._theirs(claim) >= self._quota:
            return f"its organiser has {self._quota} machines then, and may not have more"
        return ""

    def next_start(self, claim: Claim, until: float) -> float:
        """Return the first later begin at which the claim fits, up to `until`; 0: none found."""
        length = claim.end - claim.begin
        place = bisect_right(self._times, claim.begin)
        for begin in self._times[place : place + CANDIDATES]:
            if begin > until:
                break
            moved = Claim(claim.key, begin, begin + length, claim.size, claim.owner)
            if not self.lacks(moved):
                return begin
        return 0.0

    def fits_until(self, claim: Claim) -> float:
        """Return up to when the claim fits from its begin on; its begin when it does not at all."""
        size = claim.size
        first, last = self._span(claim.begin, claim.end)
        for place in range(first, last):
            memory, vcpus, gpus = self._steps[place]
            over = (
                memory + size.memory_mib > self._capacity.memory_mib
                or (self._capacity.vcpus and vcpus + size.vcpus > self._capacity.vcpus)
                or gpus + size.gpus > self._capacity.gpus
            )
            if over:
                return max(claim.begin, self._times[place])
        return claim.end

    def _peak(self, begin: float, end: float) -> tuple[int, int, int]:
        first, last = self._span(begin, end)
        inside = self._steps[first:last]
        return (
            max(step[0] for step in inside),
            max(step[1] for step in inside),
            max(step[2] for step in inside),
        )

    def _span(self, begin: float, end: float) -> tuple[int, int]:
        first = bisect_right(self._times, begin) - 1
        return first, max(first + 1, bisect_left(self._times, end))

    def _cut(self, at: float) -> int:
        """Return the place of the step that begins at `at`, made if need be."""
        place = bisect_left(self._times, at)
        if place == len(self._times) or self._times[place] != at:
            self._times.insert(place, at)
            self._steps.insert(place, self._steps[place - 1])
        return place

    def _theirs(self, claim: Claim) -> int:
        mine = [c for c in self._owned.get(claim.owner, ()) if c.key != claim.key]
        touching = [c for c in mine if c.begin < claim.end and claim.begin < c.end]
        return max((_at_once(touching, c.begin) for c in [*touching, claim]), default=0)


def _at_once(claims: Sequence[Claim], at: float) -> int:
    return sum(claim.begin <= at < claim.end for claim in claims)


def smaller(sizes: Iterable[tuple[str, Size]], claim: Claim, calendar: Calendar) -> str:
    """Return the name of the largest of `sizes` that is smaller than the claim's and fits."""
    fitting = [
        (size.memory_mib, name)
        for name, size in sizes
        if size.memory_mib < claim.size.memory_mib
        and size.gpus <= claim.size.gpus
        and not calendar.lacks(Claim(claim.key, claim.begin, claim.end, size, claim.owner))
    ]
    return max(fitting, default=(0, ""))[1]
