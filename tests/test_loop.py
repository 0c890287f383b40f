"""The loop on its real thread, with ports that only take notes."""

import math
import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from edge.actuators.gate import Gate
from edge.contracts.base import Now
from edge.contracts.commands import Command
from edge.contracts.plugin import PluginEvent
from edge.contracts.signals import (
    CalendarRead,
    ClockChecked,
    ContactChanged,
    MotionChanged,
    NodeReading,
    OperatorAsked,
    PeopleCounted,
    SourceChanged,
    Woke,
    decode_signal,
)
from edge.decide.core import CoreState
from edge.decide.policy import Policy
from edge.decide.proposals import PluginRules
from edge.decide.step import Core
from edge.inbox import Inbox
from edge.loop import TOGETHER, Loop, Ports, encode_decision
from tests.world.room import EPOCH, SETTINGS, meeting
from tests.world.waiting import until, within


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


def test_signals_are_journaled_in_order_with_ids_of_this_start(loop, notes, inbox):
    loop.start(7, "hash")
    for number in range(20):
        inbox.post(SourceChanged(f"s{number}", "ok"))
    until(lambda: len([s for s in notes.signals() if isinstance(s, SourceChanged)]) == 20)
    sources = [s.source for s in notes.signals() if isinstance(s, SourceChanged)]
    assert sources == [f"s{n}" for n in range(20)]
    ids = [ident for kind, ident, _, _ in notes.rows if kind == "signal"]
    assert ids == [f"aurora-7-{n + 1}" for n in range(len(ids))]
    assert notes.rows[0][3] == b'{"type":"booted","source":"loop","boot":7,"config_hash":"hash"}'


def test_a_decision_follows_its_signal_and_names_it(loop, notes, clock):
    outcome = loop.handle(ClockChecked("clock", True), clock())
    (_, cause, now, _), (kind, ident, then, body) = notes.rows
    assert (kind, ident, then) == ("decision", f"{cause}.d", now)
    assert outcome.decision.cause == cause
    assert body == encode_decision(outcome.decision)
    assert notes.watched == [(ClockChecked("clock", True), outcome.decision, loop.state)]


def test_a_step_that_changes_nothing_is_journaled_without_a_decision(loop, notes, clock):
    loop.handle(ClockChecked("clock", True), clock())
    notes.rows.clear()
    notes.releases.clear()
    assert loop.handle(Woke(), clock()).decision is None
    assert [row[0] for row in notes.rows] == ["signal"]
    assert notes.releases == []


def test_nothing_leaves_the_room_before_the_journal_released_it(loop, notes, clock):
    loop.handle(ClockChecked("clock", True), clock())
    loop.handle(CalendarRead("calendar", (meeting(),)), clock())
    assert notes.out == []
    notes.release()
    kinds = [type(item).__name__ for item in notes.out]
    assert {"Command", "CalendarWrite", "WantedMessage"} <= set(kinds)
    last = {name: index for index, name in enumerate(kinds)}
    assert last["Command"] < last["CalendarWrite"] < last["WantedMessage"]


def test_the_schedule_leaves_the_room_though_the_journal_is_lost(loop, notes, clock):
    loop.handle(ClockChecked("clock", True), clock())
    assert notes.out == []
    loop.handle(SourceChanged("journal", "lost", "disk full"), clock())
    commands = [(c.actuator, c.priority) for c in notes.out if isinstance(c, Command)]
    assert sorted(commands) == [("climate.setpoint", "schedule"), ("light.main", "schedule")]
    sent = list(notes.out)
    notes.release()
    assert notes.out == sent


def test_plugins_are_called_without_waiting_for_the_disk(loop, notes, clock):
    loop.handle(ClockChecked("clock", True), clock())
    ((call, now, seed),) = notes.calls
    assert call.plugin == "plugin:lights"
    assert isinstance(call.event, PluginEvent)
    assert (now.wall > EPOCH - 1, seed) == (True, 1)


def test_a_step_that_raises_costs_only_that_signal(loop, notes, inbox):
    loop.core.broken = ("SourceChanged",)
    loop.start(1, "hash")
    inbox.post(SourceChanged("camera", "lost"))
    inbox.post(OperatorAsked("panel", "consent", value="off"))
    until(lambda: loop.state.room.consent == "off")
    assert not [s for s in notes.signals() if isinstance(s, SourceChanged)]
    assert loop.state.room.sources == {}


def test_a_wake_up_that_always_raises_does_not_make_the_loop_spin(loop, inbox, monkeypatch):
    loop.core.broken = ("Woke",)
    woken = []
    handle, began = loop.handle, time.monotonic()
    monkeypatch.setattr(loop, "handle", lambda s, now: (woken.append(s), handle(s, now))[1])
    loop.start(1, "hash")
    until(lambda: Woke() in woken)
    inbox.post(OperatorAsked("panel", "consent", value="off"))
    until(lambda: loop.state.room.consent == "off")
    assert woken.count(Woke()) <= 3 + time.monotonic() - began


def test_a_loop_that_cannot_tell_when_it_is_due_still_hears(loop, inbox):
    loop.core.deaf = True
    loop.start(1, "hash")
    inbox.post(OperatorAsked("panel", "consent", value="off"))
    until(lambda: loop.state.room.consent == "off")


@pytest.mark.parametrize(
    "signal",
    [
        NodeReading("board", "co2", math.nan),
        OperatorAsked("panel", "set", actuator="light.main", value=math.inf),
        OperatorAsked("panel", "set", actuator="light.main", value="\ud800"),
    ],
)
def test_what_cannot_be_journaled_changes_nothing(loop, notes, signal, clock):
    before = loop.state
    with pytest.raises(ValueError):  # noqa: PT011 - whichever the encoder raises
        loop.handle(signal, clock())
    assert (loop.state, notes.rows) == (before, [])


def test_it_decides_on_what_the_journal_holds(loop, notes, clock):
    loop.handle(NodeReading("board", "temperature", 21), clock())
    value = loop.state.room.readings["temperature"].value
    assert isinstance(value, float)
    assert notes.signals()[0].value == value


def test_a_port_that_raises_leaves_what_was_decided_journaled(loop, notes, inbox):
    def refuse(*_):
        raise RuntimeError("no such plugin")

    loop._ports = replace(loop._ports, call=refuse)
    loop.start(1, "hash")
    inbox.post(ClockChecked("clock", True))
    until(lambda: ClockChecked("clock", True) in notes.signals())
    inbox.post(OperatorAsked("panel", "consent", value="off"))
    until(lambda: loop.state.room.consent == "off")
    assert notes.releases


def test_stop_ends_the_thread_within_a_second_whatever_is_posted(loop, notes, inbox):
    loop.start(1, "hash")
    running = threading.Event()
    running.set()

    def flood():
        while running.is_set():
            inbox.post(PeopleCounted("camera", 1))
            inbox.post(Woke("flood"))

    poster = threading.Thread(target=flood)
    poster.start()
    until(lambda: Woke("flood") in notes.signals())
    with within(1.0):
        loop.stop()
    running.clear()
    poster.join(5)
    assert not loop._thread.is_alive()


def test_stop_before_start_is_harmless(notes, inbox, clock):
    core = Core(SETTINGS, Policy(SETTINGS.policy), Gate(SETTINGS.gate))
    Loop(core, CoreState(), inbox, notes.ports(), clock).stop()
    assert inbox.closed


def test_it_wakes_itself_when_a_part_is_due(loop, notes, inbox):
    loop.start(1, "hash")
    inbox.post(ClockChecked("clock", True))
    inbox.post(OperatorAsked("panel", "set", actuator="light.main", value=25, seconds=0.05))

    def given():
        states = [state.given for _, _, state in notes.watched]
        return [lights["light.main"].value for lights in states if "light.main" in lights]

    until(lambda: 25 in given() and given()[-1] == 0)
    assert Woke() in notes.signals()


def test_what_is_offered_while_the_loop_rests_is_taken_where_it_is_offered(loop, notes):
    where = []
    taken = notes.record

    def record(*row):
        where.append(threading.current_thread().name)
        taken(*row)

    loop._ports = replace(loop._ports, record=record)
    loop.start(1, "hash")
    until(lambda: loop._running)
    for number in range(50):
        loop.offer(SourceChanged(f"s{number}", "ok"))
        # At once, unless the loop's own thread was at it just then.
        until(lambda n=number: f"s{n}" in [s.source for s in notes.signals()])
    assert threading.current_thread().name in where


def test_what_many_threads_offer_and_post_is_taken_once_and_in_each_ones_order(loop, notes, inbox):
    loop.start(1, "hash")

    def bring(name, hand_in):
        for number in range(200):
            hand_in(SourceChanged(f"{name}/{number}", "ok"))

    ways = {"a": loop.offer, "b": loop.offer, "c": loop.offer, "d": inbox.post}
    threads = [threading.Thread(target=bring, args=way) for way in ways.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len([s for s in notes.signals() if isinstance(s, SourceChanged)]) == 800)
    brought = [s.source.split("/") for s in notes.signals() if isinstance(s, SourceChanged)]
    for name in ways:
        assert [int(n) for who, n in brought if who == name] == list(range(200))
    ids = [int(ident.rsplit("-", 1)[1]) for kind, ident, _, _ in notes.rows if kind == "signal"]
    assert ids == sorted(set(ids))


def test_a_crowd_of_motion_is_journaled_edge_by_edge_and_decided_seldom(loop, notes, inbox):
    crowd = [MotionChanged(f"node:{n // 2}", n % 2 == 0) for n in range(100)]
    for signal in crowd:
        inbox.post(signal)
    loop.start(1, "hash")
    until(lambda: len(notes.signals()) > len(crowd))
    heard = [s for s in notes.signals() if isinstance(s, MotionChanged)]
    assert [(s.source, s.active) for s in heard] == [(s.source, s.active) for s in crowd]
    alone = [n for n, signal in enumerate(heard) if not signal.with_next]
    # As many together as may be; where the loop looks after levels in between, fewer.
    assert len(alone) <= 6
    assert alone[-1] == len(crowd) - 1
    assert max(b - a for a, b in pairwise([-1, *alone])) <= TOGETHER
    assert loop.state.undecided is None


def test_what_no_edge_follows_any_more_is_decided_at_the_end(loop, notes, inbox, clock):
    loop.start(1, "hash")
    until(lambda: loop._running)
    loop.handle(MotionChanged("node:a", True, with_next=True), clock())
    loop.stop()
    assert notes.signals()[-1] == Woke()
    assert loop.state.undecided is None


def test_who_offers_during_a_step_does_not_wait_for_it(loop, notes):
    inside, go_on = threading.Event(), threading.Event()

    def watch(signal, *_):
        if signal == SourceChanged("slow", "ok"):
            inside.set()
            go_on.wait(10)

    loop._ports = replace(loop._ports, watch=watch)
    loop.start(1, "hash")
    slow = threading.Thread(target=loop.offer, args=(SourceChanged("slow", "ok"),))
    slow.start()
    assert inside.wait(10)
    loop.offer(SourceChanged("next", "ok"))
    assert "next" not in [s.source for s in notes.signals()]
    go_on.set()
    slow.join(10)
    until(lambda: "next" in [s.source for s in notes.signals()])


def test_what_a_step_elsewhere_makes_due_sooner_wakes_the_loop(loop, notes, clock):
    loop.start(1, "hash")
    until(lambda: loop._running)
    loop.offer(ClockChecked("clock", True))
    soon = meeting(start=clock().wall - EPOCH + 600.3)
    loop.offer(CalendarRead("calendar", (soon,)))
    # It opens for check-in in 0.3 s; without being woken the loop would sleep for 30 s.
    until(lambda: [life.phase for life in loop.state.lives.values()] == ["open"], 10)


def test_a_defect_on_a_thread_that_offers_costs_that_signal_only(loop, notes):
    loop.core.broken = ("PeopleCounted",)
    loop.start(1, "hash")
    until(lambda: loop._running)
    loop.offer(PeopleCounted("camera", 1))
    loop.offer(SourceChanged("after", "ok"))
    until(lambda: "after" in [s.source for s in notes.signals()])


def test_what_is_gathered_is_taken_in_order_and_plugins_hear_of_it_in_few_calls(loop, notes):
    called = []
    loop._ports = replace(loop._ports, call=lambda calls, *_: called.append(calls))
    rules = {"plugin:lights": PluginRules("lights", ("contact",), (), tick_s=1e9)}
    settings = replace(SETTINGS, plugins=rules)
    loop.core.core = Core(settings, Policy(settings.policy), Gate(settings.gate))
    loop.start(1, "hash")
    until(lambda: loop._running)
    edges = [ContactChanged(f"node:{n}", "window", True) for n in range(20)]
    with loop.gathering():
        for edge in edges:
            loop.offer(edge)
    until(lambda: [s for s in notes.signals() if isinstance(s, ContactChanged)] == edges)
    ids = [ident for kind, ident, _, body in notes.rows if kind == "signal" and b"contact" in body]
    until(lambda: [call.event.id for calls in called for call in calls] == ids)
    # The loop's own thread may have been awake and been quicker with the first of them.
    assert len(called) < len(edges) / 2


def test_calls_that_a_defect_behind_them_would_lose_are_handed_on(loop, notes, inbox):
    loop.core.broken = ("PeopleCounted",)
    loop.start(1, "hash")
    until(lambda: loop._running)
    with loop.gathering():
        loop.offer(ClockChecked("clock", True))
        loop.offer(PeopleCounted("camera", 1))
        loop.offer(SourceChanged("after", "ok"))
    until(lambda: "after" in [s.source for s in notes.signals()])
    until(lambda: notes.calls)
