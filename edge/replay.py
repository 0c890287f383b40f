"""Replay: the pure parts run again on a recorded journal, decision compared with decision."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from edge.contracts.base import Message, Now
from edge.contracts.signals import decode_signal
from edge.decide.core import CoreSettings, CoreState
from edge.decide.step import Core
from edge.steps import encode_decision


class BootRecord(Message, frozen=True):
    """Body of a `boot` row: all that decides besides the signals that follow."""

    settings: CoreSettings
    state: CoreState


class Kept(Protocol):
    """A journal row as replay reads it; `now` is the instant it was taken at."""

    @property
    def kind(self) -> str:
        """boot, signal or decision."""
        ...

    @property
    def id(self) -> str:
        """The row's id."""
        ...

    @property
    def now(self) -> Now:
        """The instant the row was taken at."""
        ...

    @property
    def body(self) -> bytes | None:
        """The payload; None once it was thinned out."""
        ...


@dataclass(slots=True)
class Comparison:
    """What replay found. `different` names the decisions that came out otherwise."""

    boots: int = 0
    signals: int = 0
    decisions: int = 0
    different: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether every decision came out byte for byte, and there was something to replay."""
        return self.boots > 0 and not self.different and not self.unreadable


def encode_boot(settings: CoreSettings, state: CoreState) -> bytes:
    """Return the body of a `boot` row."""
    # Not sorted: the order of leases is the order of asking, that of actuators the file's.
    return msgspec.json.encode(BootRecord(settings, state))


def replay(rows: Iterable[Kept], build: Callable[[CoreSettings], Core]) -> Comparison:
    """Return how the journal's decisions compare with those the code makes now."""
    run = _Run(build)
    for row in rows:
        run.take(row)
    run.settle()
    return run.found


def restore(state: CoreState, rows: Iterable[Kept], core: Core) -> CoreState:
    """Return `state` after the signals of `rows`, taken with today's settings."""
    for row in rows:
        if row.kind == "signal" and row.body is not None:
            state, _ = core.step(state, decode_signal(row.body), row.id, row.now)
    return state


class _Run:
    def __init__(self, build: Callable[[CoreSettings], Core]) -> None:
        self._build = build
        self._core: Core | None = None
        self._expected: tuple[str, bytes] | None = None
        self.state = CoreState()
        self.found = Comparison()

    def take(self, row: Kept) -> None:
        if row.kind == "decision":
            self._compare(row)
            return
        self.settle()
        if row.body is None:
            self.found.unreadable.append(row.id)
        elif row.kind == "boot":
            self._boot(row.body)
        elif row.kind == "signal" and self._core is not None:
            self._step(row, row.body)

    def settle(self) -> None:
        """A decision that was made now but is not in the journal is a difference."""
        if self._expected is not None:
            self.found.different.append(self._expected[0])
            self._expected = None

    def _boot(self, body: bytes) -> None:
        record = msgspec.json.decode(body, type=BootRecord)
        self._core = self._build(record.settings)
        self.state = record.state
        self.found.boots += 1

    def _step(self, row: Kept, body: bytes) -> None:
        assert self._core is not None  # noqa: S101 - narrowed by the caller
        signal = decode_signal(body)
        self.state, outcome = self._core.step(self.state, signal, row.id, row.now)
        self.found.signals += 1
        if outcome.decision is not None:
            self._expected = (f"{row.id}.d", encode_decision(outcome.decision))

    def _compare(self, row: Kept) -> None:
        self.found.decisions += 1
        made, self._expected = self._expected, None
        if made is None or made != (row.id, row.body):
            self.found.different.append(row.id)
