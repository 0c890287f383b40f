"""Who takes a step: the loop's thread, who offers, who gathers; and a crowd taken together."""

import threading
from dataclasses import replace
from itertools import pairwise

from edge.actuators.gate import Gate
from edge.contracts.signals import (
    Booted,
    CalendarRead,
    ClockChecked,
    ContactChanged,
    MotionChanged,
    PeopleCounted,
    PluginAnswered,
    SourceChanged,
    Woke,
    decode_signal,
)
from edge.decide.core import CoreState
from edge.decide.policy import Policy
from edge.decide.proposals import PluginRules
from edge.decide.step import Core
from edge.steps import TOGETHER, encode_decision
from tests.loop.conftest import Faulty
from tests.world.room import EPOCH, SETTINGS, meeting
from tests.world.waiting import until


def test_what_is_offered_while_the_loop_rests_is_taken_where_it_is_offered(loop, notes):
    where = []
    taken = notes.record

    def record(*row):
        where.append(threading.current_thread().name)
        taken(*row)

    loop.steps.ports = replace(loop.steps.ports, record=record)
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


def test_a_crowd_leaves_the_same_state_decisions_and_calls_as_its_journal_replayed(
    loop, notes, inbox, clock
):
    loop.start(1, "hash")
    until(lambda: loop._running)
    loop.offer(ClockChecked("clock", True))
    # It has begun: who comes is decided on in the middle of the crowd.
    loop.offer(CalendarRead("calendar", (meeting(start=clock().wall - EPOCH - 60),)))
    with loop.gathering():
        for n in range(TOGETHER // 2):
            loop.offer(MotionChanged(f"node:{n // 3}", n % 3 != 1))
    until(lambda: not inbox.edges and loop.state.undecided is None)
    loop.stop()
    state, decided, called = CoreState(), {}, []
    for kind, ident, now, body in notes.rows:
        if kind == "signal":
            signal = decode_signal(body)
            state, outcome = loop.steps.core.core.step(state, signal, ident, now)
            called += outcome.calls
            if outcome.decision is not None:
                decided[f"{ident}.d"] = encode_decision(outcome.decision)
    assert state == loop.state
    assert called == [call for call, _, _ in notes.calls]
    assert decided == {ident: body for kind, ident, _, body in notes.rows if kind == "decision"}
    came = [body for body in decided.values() if b'"phase":"active"' in body]
    assert came, "somebody who came checked the meeting in"
    watched = [decision for _, decision, _ in notes.watched if decision is not None]
    assert [encode_decision(one) for one in watched] == list(decided.values())


def test_a_crowd_is_watched_as_one(loop, notes, inbox):
    loop.start(1, "hash")
    until(lambda: loop._running)
    notes.watched.clear()
    with loop.gathering():
        for n in range(20):
            loop.offer(MotionChanged(f"node:{n}", False))
    until(lambda: not inbox.edges)
    assert 0 < len(notes.watched) < 10
    assert notes.watched[-1][2] == loop.state


class Brittle(Faulty):
    """A core that raises at one sensor."""

    def step(self, state, signal, ident, now):
        if signal.source == "node:7":
            raise RuntimeError("a defect")
        return super().step(state, signal, ident, now)


def test_a_defect_or_half_a_character_in_a_crowd_costs_that_edge_only(loop, notes, inbox):
    loop.steps.core = Brittle(loop.steps.core.core)
    loop.start(1, "hash")
    until(lambda: loop._running)
    names = [f"node:{n}" for n in range(20)]
    with loop.gathering():
        for name in [*names[:12], "node:\ud800", *names[12:]]:
            loop.offer(MotionChanged(name, True))
    until(lambda: not inbox.edges and loop.state.undecided is None)
    heard = [s.source for s in notes.signals() if isinstance(s, MotionChanged)]
    assert heard == [name for name in names if name != "node:7"]


def test_who_gathers_takes_a_crowd_without_waking_the_loop(loop, notes, inbox, monkeypatch):
    resting, go_on, woken = threading.Event(), threading.Event(), []

    def rest(_until):  # for as long as the test needs: the real one ends by itself
        resting.set()
        go_on.wait(30)

    monkeypatch.setattr(inbox, "wait", rest)
    monkeypatch.setattr(inbox, "wake", lambda: woken.append(1))
    loop.start(1, "hash")
    assert resting.wait(30)
    with loop.gathering():
        for n in range(2 * TOGETHER + 1):
            loop.offer(MotionChanged("node:a", n % 2 == 0))
    left = inbox.edges
    go_on.set()
    assert not left
    assert not woken
    heard = [s.active for s in notes.signals() if isinstance(s, MotionChanged)]
    assert heard == [n % 2 == 0 for n in range(2 * TOGETHER + 1)]


def test_what_a_gatherer_posts_keeps_its_place_among_what_it_offers(loop, notes, inbox):
    loop.start(1, "hash")
    until(lambda: loop._running)
    brought = [SourceChanged(f"s{n}", "ok") for n in range(6)]
    with loop.gathering():
        for n, signal in enumerate(brought):
            (loop.offer if n % 2 else loop.post)(signal)
    loop.post(SourceChanged("after", "ok"))
    until(lambda: "after" in [s.source for s in notes.signals()])
    assert [s for s in notes.signals() if isinstance(s, SourceChanged)][:-1] == brought


class Slow(Faulty):
    """A core whose first motion waits until it is let go on."""

    def __init__(self, core):
        super().__init__(core)
        self.inside, self.go_on = threading.Event(), threading.Event()

    def step(self, state, signal, ident, now):
        if isinstance(signal, MotionChanged):
            self.inside.set()
            self.go_on.wait(30)
        return super().step(state, signal, ident, now)


def test_a_motion_in_its_step_when_the_loop_is_stopped_is_kept_and_decided(loop, notes):
    loop.start(1, "hash")
    until(lambda: loop._running)
    loop.steps.core = core = Slow(loop.steps.core.core)
    offering = threading.Thread(target=loop.offer, args=(MotionChanged("node:a", True),))
    offering.start()
    assert core.inside.wait(30)
    loop._inbox.close()
    core.go_on.set()
    loop.stop()
    offering.join(30)
    assert [type(s) for s in notes.signals()][-2:] == [MotionChanged, Woke]
    assert loop.state.undecided is None
    assert not loop.steps._rows


def test_who_gathers_for_long_holds_nobody_up(loop, notes, inbox):
    loop.start(1, "hash")
    until(lambda: loop._running)
    with loop.gathering():
        inbox.post(SourceChanged("posted", "ok"))
        until(lambda: "posted" in [s.source for s in notes.signals()])


def test_a_motion_that_plugins_hear_of_is_decided_with_their_answer(loop, notes):
    loop.start(1, "hash")
    until(lambda: loop._running)
    loop.offer(MotionChanged("node:a", True))
    until(lambda: notes.calls)
    (call, _, _) = notes.calls[-1]
    loop.offer(PluginAnswered(call.plugin, (call.event.id,)))
    until(lambda: loop.state.undecided is None)
    decided = [ident for kind, ident, _, _ in notes.rows if kind == "decision"]
    signals = [ident for kind, ident, _, _ in notes.rows if kind == "signal"]
    assert decided[-1] == f"{signals[-1]}.d"
    assert f"{signals[-2]}.d" not in decided
    assert [type(s) for s in notes.signals()] == [Booted, MotionChanged, PluginAnswered]


def test_plugins_hear_of_a_motion_first_and_it_is_kept_with_their_answer(loop, notes):
    told = []
    loop.steps.ports = replace(
        loop.steps.ports,
        record=lambda rows, _release, more: told.append(([kind for kind, *_ in rows], more)),
        call=lambda calls, *_: told.append(calls),
    )
    loop.start(1, "hash")
    until(lambda: loop._running)
    told.clear()
    loop.offer(MotionChanged("node:a", True))
    until(lambda: told)
    ((call,),) = told
    loop.offer(PluginAnswered(call.plugin, (call.event.id,)))
    until(lambda: len(told) > 1)
    assert told[1:] == [(["signal", "signal", "decision"], False)]


def test_a_plugin_that_cannot_be_called_costs_no_row(loop, notes):
    def refuse(*_):
        raise RuntimeError("a defect")

    loop.steps.ports = replace(loop.steps.ports, call=refuse)
    loop.start(1, "hash")
    until(lambda: loop._running)
    loop.offer(MotionChanged("node:a", True))
    loop.offer(ContactChanged("node:a", "door", True))
    until(lambda: len(notes.signals()) >= 3)
    assert [type(s) for s in notes.signals()][:3] == [Booted, MotionChanged, ContactChanged]


def test_a_motion_whose_answer_does_not_come_is_decided_all_the_same(loop, notes):
    loop.start(1, "hash")
    until(lambda: loop._running)
    loop.offer(MotionChanged("node:a", True))
    # Without being woken: the thread looks in time by itself.
    until(lambda: len(notes.signals()) == 3, 5)
    assert [type(s) for s in notes.signals()] == [Booted, MotionChanged, Woke]


class Around:
    """What a step is taken inside: notes what stood when it ended, and who may take the next."""

    def __init__(self, loop, notes):
        self.loop, self.notes, self.ended = loop, notes, []

    def __enter__(self):
        self.before = len(self.notes.signals())

    def __exit__(self, *_):
        free = self.loop._turn.acquire(timeout=5)
        if free:
            self.loop._turn.release()
        self.ended.append((len(self.notes.signals()) - self.before, free))


def test_a_step_alone_is_taken_inside_what_is_around_it_and_others_go_on(loop, notes):
    loop.start(1, "hash")
    until(lambda: loop._running)
    for number in range(50):
        around = Around(loop, notes)
        loop.offer(SourceChanged(f"s{number}", "ok"), around)
        until(lambda n=number: f"s{n}" in [s.source for s in notes.signals()])
        assert around.ended in ([], [(0, True)], [(1, True)])


def test_in_a_crowd_nobody_waits_for_what_is_around_a_step(loop, notes, inbox):
    around = Around(loop, notes)
    loop.start(1, "hash")
    until(lambda: loop._running)
    for number in range(40):
        inbox.post(ContactChanged(f"node:{number}", "door", True), wake=False)
    loop.offer(SourceChanged("last", "ok"), around)
    until(lambda: "last" in [s.source for s in notes.signals() if isinstance(s, SourceChanged)])
    assert not around.ended


def test_what_was_heard_is_kept_before_anybody_sees_what_followed_it(loop, notes, inbox):
    seen = []
    watched = notes.watched.append

    def watch(signal, *more):
        watched((signal, *more))
        if isinstance(signal, SourceChanged):
            seen.append([type(s) for s in notes.signals()])

    loop.steps.ports = replace(loop.steps.ports, watch=watch)
    health = SourceChanged("plugin:lights", "ok")
    motion = MotionChanged("node:a", True), MotionChanged("node:b", True)
    # The second word of its health changes nothing: there is no decision that it is kept with.
    for signal in (health, *motion, health, ContactChanged("node:a", "door", True)):
        inbox.post(signal)
    loop.start(1, "hash")
    until(lambda: len(seen) == 2)
    assert seen[1] == [Booted, SourceChanged, MotionChanged, MotionChanged, SourceChanged]


def test_who_offers_to_a_loop_that_ended_comes_back(loop, inbox):
    loop.start(1, "hash")
    until(lambda: loop._running)
    with loop._turn:
        inbox.post(SourceChanged("left", "ok"), wake=False)
        inbox.close()
    offering = threading.Thread(target=loop.offer, args=(SourceChanged("late", "ok"),))
    offering.start()
    offering.join(10)
    assert not offering.is_alive()


def test_what_no_edge_follows_any_more_is_decided_at_the_end(loop, notes, inbox, clock):
    loop.start(1, "hash")
    until(lambda: loop._running)
    with loop._turn:
        loop.steps.handle(MotionChanged("node:a", True, with_next=True), clock())
    loop.stop()
    assert notes.signals()[-1] == Woke()
    assert loop.state.undecided is None


class Undecided(Faulty):
    """A core that hears every motion and never gets as far as deciding."""

    def step(self, state, signal, ident, now):
        if isinstance(signal, MotionChanged):
            return self.core._hear(state, signal, ident, now)
        return super().step(state, signal, ident, now)


def test_what_was_heard_is_kept_though_no_decision_on_it_comes(loop, notes, clock):
    loop.steps.core = Undecided(loop.steps.core.core)
    loop.start(1, "hash")
    loop.steps.core.broken = ("Woke",)
    until(lambda: loop._running)
    loop.offer(MotionChanged("node:0", True))
    until(lambda: notes.signals()[-1] == MotionChanged("node:0", True, with_answer=True), 5)
    for number in range(1, 3 * TOGETHER):
        loop.offer(MotionChanged(f"node:{number}", True))
        assert len(loop.steps._rows) <= TOGETHER
    loop.stop()
    heard = [s.source for s in notes.signals() if isinstance(s, MotionChanged)]
    assert heard == [f"node:{number}" for number in range(3 * TOGETHER)]


def test_a_step_that_hangs_does_not_keep_the_loop_from_its_end(loop, clock):
    loop.start(1, "hash")
    until(lambda: loop._running)
    with loop._turn:
        loop.steps.handle(MotionChanged("node:a", True, with_next=True), clock())
        loop.stop()
        until(lambda: not loop._thread.is_alive(), 5)


def test_who_offers_during_a_step_does_not_wait_for_it(loop, notes):
    inside, go_on = threading.Event(), threading.Event()

    def watch(signal, *_):
        if signal == SourceChanged("slow", "ok"):
            inside.set()
            go_on.wait(10)

    loop.steps.ports = replace(loop.steps.ports, watch=watch)
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
    loop.steps.core.broken = ("PeopleCounted",)
    loop.start(1, "hash")
    until(lambda: loop._running)
    loop.offer(PeopleCounted("camera", 1))
    loop.offer(SourceChanged("after", "ok"))
    until(lambda: "after" in [s.source for s in notes.signals()])


def test_what_is_gathered_is_taken_in_order_and_plugins_hear_of_it_in_few_calls(loop, notes):
    called = []
    loop.steps.ports = replace(loop.steps.ports, call=lambda calls, *_: called.append(calls))
    rules = {"plugin:lights": PluginRules("lights", ("contact",), (), tick_s=1e9)}
    settings = replace(SETTINGS, plugins=rules)
    loop.steps.core.core = Core(settings, Policy(settings.policy), Gate(settings.gate))
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
    loop.steps.core.broken = ("PeopleCounted",)
    loop.start(1, "hash")
    until(lambda: loop._running)
    with loop.gathering():
        loop.offer(ClockChecked("clock", True))
        loop.offer(PeopleCounted("camera", 1))
        loop.offer(SourceChanged("after", "ok"))
    until(lambda: "after" in [s.source for s in notes.signals()])
    until(lambda: notes.calls)
