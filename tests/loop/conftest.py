"""The loop on its real thread, with ports that only take notes."""

import time

import pytest

from edge.actuators.gate import Gate
from edge.contracts.base import Now
from edge.contracts.signals import (
    decode_signal,
)
from edge.decide.core import CoreState
from edge.decide.policy import Policy
from edge.decide.step import Core
from edge.inbox import Inbox
from edge.loop import Loop
from edge.steps import Ports
from tests.world.room import EPOCH, SETTINGS


@pytest.fixture
def clock():
    """The time of day at which the test begins is EPOCH, however long the tests before it took."""
    zero = time.monotonic()

    def now():
        mono = time.monotonic()
        return Now(EPOCH + mono - zero, mono, True)

    return now


class Notes:
    """What the loop handed out, in order; `releases` run when the test says so."""

    def __init__(self):
        self.rows, self.releases, self.out, self.calls, self.watched = [], [], [], [], []

    def record(self, rows, release, _more):
        self.rows += rows
        if release is not None:
            self.releases.append(release)

    def release(self):
        while self.releases:
            self.releases.pop(0)()

    def ports(self):
        return Ports(
            record=self.record,
            call=lambda calls, now, seed: self.calls.extend((c, now, seed) for c in calls),
            command=self.out.append,
            write=self.out.append,
            wanted=self.out.append,
            watch=lambda *seen: self.watched.append(seen),
        )

    def signals(self):
        return [decode_signal(body) for kind, _, _, body in self.rows if kind == "signal"]


class Faulty:
    """A core that raises at what the test names, and is the real one otherwise."""

    def __init__(self, core):
        self.core, self.settings = core, core.settings
        self.broken, self.deaf = (), False

    def step(self, state, signal, ident, now):
        if type(signal).__name__ in self.broken:
            raise RuntimeError("a defect")
        return self.core.step(state, signal, ident, now)

    def next_due(self, state, now):
        if self.deaf:
            raise RuntimeError("a defect")
        return self.core.next_due(state, now)


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def inbox():
    return Inbox(time.monotonic)


@pytest.fixture
def loop(notes, inbox, clock):
    core = Faulty(Core(SETTINGS, Policy(SETTINGS.policy), Gate(SETTINGS.gate)))
    loop = Loop(core, CoreState(), inbox, notes.ports(), clock)
    yield loop
    loop.stop()
