"""`plugin bench`: what a plugin's calls cost, held against the limits its manifest names."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.contracts.plugin import PluginEvent, PluginInput, input_encoder
from edge.plugins.errors import GuestError
from edge.plugins.manifest import Limits
from edge.plugins.queue import BATCH
from edge.plugins.selftest import PATIENCE_MS
from edge.workshop.caches import compiled
from edge.workshop.errors import WorkshopError
from edge.workshop.golden import read
from edge.workshop.trial import Trial, read_plugin

ROUNDS = 5
NEAR = 0.5
"""Part of a limit beyond which a figure is marked."""

Echo = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figures:
    """us: of calls, sorted; batch_us: of calls with as many events as a room hands over at once.

    An instance of the other kind may be out of its reach: then there are none. memory_mb: least
    limit under which every input is answered; answer: largest, bytes.
    """

    load_s: float
    fresh_us: tuple[float, ...]
    reused_us: tuple[float, ...]
    batch_us: tuple[float, ...]
    memory_mb: int
    answer: int


class Bench:
    """One plugin under measurement; its own limits hold but for the deadline."""

    def __init__(self, folder: Path) -> None:
        begun = time.perf_counter()
        self.trial = Trial(read_plugin(folder), cache=compiled())
        self.load_s = time.perf_counter() - begun
        self.limits = self.trial.plugin.manifest.limits
        settings = self.trial.plugin.settings
        inputs = [read(file).input for file in sorted((folder / "golden").glob("*.json"))]
        event = PluginEvent("bench-1-1", "presence", occupied=True, probability=0.97, count=3)
        inputs = inputs or [PluginInput((event,), 1.76e9, 1, settings=settings)]
        self.texts = [_text(given) for given in inputs]
        self.batches = [_text(_batch(given)) for given in inputs]

    def measure(self, calls: int) -> Figures:
        """Return everything; WorkshopError when the plugin cannot answer its own inputs."""
        try:
            answer = max(len(self._call(text)) for text in (*self.texts, *self.batches))
            fresh, reused = self._either("fresh", calls), self._either("reused", calls)
            batch = self._timed(self.limits.instance, max(1, calls // 20), self.batches)
            return Figures(self.load_s, fresh, reused, batch, self._memory(), answer)
        except GuestError as error:
            raise WorkshopError(f"{self.trial.plugin.id} {error}") from error

    def close(self) -> None:
        """Free the sandbox."""
        self.trial.close()

    def _call(self, text: str) -> str:
        return self.trial.guest.call("handle", text)

    def _under(self, limits: Limits) -> None:
        self.trial.guest.close()
        self.trial.guest.limits = msgspec.structs.replace(limits, deadline_ms=PATIENCE_MS)

    def _timed(
        self, instance: str, calls: int, texts: Sequence[str] | None = None
    ) -> tuple[float, ...]:
        self._under(msgspec.structs.replace(self.limits, instance=instance))
        found, inputs = [], texts or self.texts
        for text in inputs:
            self._call(text)
        for number in range(calls):
            text = inputs[number % len(inputs)]
            begun = time.perf_counter()
            self._call(text)
            found.append((time.perf_counter() - begun) * 1e6)
        return tuple(sorted(found))

    def _either(self, instance: str, calls: int) -> tuple[float, ...]:
        try:
            return self._timed(instance, calls)
        except GuestError:
            # A large runtime does not fit into what a fresh instance may have.
            if instance == self.limits.instance:
                raise
            return ()

    def _memory(self) -> int:
        low, high = 1, self.limits.memory_mb
        while low < high:
            middle = (low + high) // 2
            if self._fits(middle):
                high = middle
            else:
                low = middle + 1
        return high

    def _fits(self, megabytes: int) -> bool:
        self._under(msgspec.structs.replace(self.limits, memory_mb=megabytes))
        try:
            for _ in range(ROUNDS):
                for text in (*self.texts, *self.batches):
                    self._call(text)
        except GuestError:
            return False
        return True


def bench(folder: Path, calls: int, echo: Echo) -> Figures:
    """Measure the plugin in `folder` and say what it comes to."""
    measured = Bench(folder)
    try:
        figures = measured.measure(calls)
    finally:
        measured.close()
    manifest, limits = measured.trial.plugin.manifest, measured.limits
    size = len(measured.trial.plugin.wasm)
    echo(f"{manifest.id} {manifest.version}, {size} bytes, loaded in {figures.load_s:.2f} s")
    for name, times in (("fresh", figures.fresh_us), ("reused", figures.reused_us)):
        mark = "  <- what its manifest asks for" if name == limits.instance else ""
        echo(f"  call, {name} instance   {_spread(times)}{mark}")
    echo(f"  batch of {BATCH} events    {_spread(figures.batch_us)}")
    used = quantile(figures.batch_us, 0.99) / 1000
    rows = (
        ("deadline (batch, p99)", used, limits.deadline_ms, "ms"),
        ("memory", figures.memory_mb, limits.memory_mb, "MB"),
        ("answer (batch)", figures.answer / 1024, limits.output_kb, "kB"),
    )
    for what, value, limit, unit in rows:
        part = value / limit
        note = "" if part <= NEAR else "  near its limit" if part <= 1 else "  OVER its limit"
        echo(f"  {what:<22} {value:8.3g} of {limit} {unit}{note}")
    return figures


def quantile(times: Sequence[float], part: float) -> float:
    """Return the quantile of sorted times."""
    return times[min(len(times) - 1, int(part * len(times)))]


def _spread(times: Sequence[float]) -> str:
    if not times:
        return "needs more than such an instance may have"
    return f"p50 {quantile(times, 0.5):8.1f} us   p99 {quantile(times, 0.99):8.1f} us"


def _text(given: PluginInput) -> str:
    return input_encoder.encode(given).decode("utf-8")


def _batch(given: PluginInput) -> PluginInput:
    events = (given.events * BATCH)[:BATCH]
    named = tuple(
        msgspec.structs.replace(event, id=f"bench-1-{number}")
        for number, event in enumerate(events)
    )
    return msgspec.structs.replace(given, events=named)
