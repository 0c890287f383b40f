"""One step after the other: journaled, decided, released, woken in time; what a defect costs."""

import math
import threading
import time
from dataclasses import replace

import pytest

from edge.actuators.gate import Gate
from edge.contracts.commands import Command
from edge.contracts.plugin import PluginEvent
from edge.contracts.signals import (
    CalendarRead,
    ClockChecked,
    NodeReading,
    OperatorAsked,
    PeopleCounted,
    SourceChanged,
    Woke,
)
from edge.decide.core import CoreState
from edge.decide.policy import Policy
from edge.decide.step import Core
from edge.loop import Loop
from edge.steps import encode_decision
from tests.world.room import EPOCH, SETTINGS, meeting
from tests.world.waiting import until, within


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
    outcome = loop.steps.handle(ClockChecked("clock", True), clock())
    (_, cause, now, _), (kind, ident, then, body) = notes.rows
    assert (kind, ident, then) == ("decision", f"{cause}.d", now)
    assert outcome.decision.cause == cause
    assert body == encode_decision(outcome.decision)
    assert notes.watched == [(ClockChecked("clock", True), outcome.decision, loop.state)]


def test_a_step_that_changes_nothing_is_journaled_without_a_decision(loop, notes, clock):
    loop.steps.handle(ClockChecked("clock", True), clock())
    notes.rows.clear()
    notes.releases.clear()
    assert loop.steps.handle(Woke(), clock()).decision is None
    assert [row[0] for row in notes.rows] == ["signal"]
    assert notes.releases == []


def test_nothing_leaves_the_room_before_the_journal_released_it(loop, notes, clock):
    loop.steps.handle(ClockChecked("clock", True), clock())
    loop.steps.handle(CalendarRead("calendar", (meeting(),)), clock())
    assert notes.out == []
    notes.release()
    kinds = [type(item).__name__ for item in notes.out]
    assert {"Command", "CalendarWrite", "WantedMessage"} <= set(kinds)
    last = {name: index for index, name in enumerate(kinds)}
    assert last["Command"] < last["CalendarWrite"] < last["WantedMessage"]


def test_the_schedule_leaves_the_room_though_the_journal_is_lost(loop, notes, clock):
    loop.steps.handle(ClockChecked("clock", True), clock())
    assert notes.out == []
    loop.steps.handle(SourceChanged("journal", "lost", "disk full"), clock())
    commands = [(c.actuator, c.priority) for c in notes.out if isinstance(c, Command)]
    assert sorted(commands) == [("climate.setpoint", "schedule"), ("light.main", "schedule")]
    sent = list(notes.out)
    notes.release()
    assert notes.out == sent


def test_plugins_are_called_without_waiting_for_the_disk(loop, notes, clock):
    loop.steps.handle(ClockChecked("clock", True), clock())
    ((call, now, seed),) = notes.calls
    assert call.plugin == "plugin:lights"
    assert isinstance(call.event, PluginEvent)
    assert (now.wall > EPOCH - 1, seed) == (True, 1)


def test_a_step_that_raises_costs_only_that_signal(loop, notes, inbox):
    loop.steps.core.broken = ("SourceChanged",)
    loop.start(1, "hash")
    inbox.post(SourceChanged("camera", "lost"))
    inbox.post(OperatorAsked("panel", "consent", value="off"))
    until(lambda: loop.state.room.consent == "off")
    assert not [s for s in notes.signals() if isinstance(s, SourceChanged)]
    assert loop.state.room.sources == {}


def test_a_wake_up_that_always_raises_does_not_make_the_loop_spin(loop, inbox, monkeypatch):
    loop.steps.core.broken = ("Woke",)
    woken = []
    handle, began = loop.steps.handle, time.monotonic()
    monkeypatch.setattr(loop.steps, "handle", lambda s, now: (woken.append(s), handle(s, now))[1])
    loop.start(1, "hash")
    until(lambda: Woke() in woken)
    inbox.post(OperatorAsked("panel", "consent", value="off"))
    until(lambda: loop.state.room.consent == "off")
    assert woken.count(Woke()) <= 3 + time.monotonic() - began


def watch_for_woke(loop, monkeypatch):
    """Return an event that is set by the first step that time alone asks for."""
    woken, handle = threading.Event(), loop.steps.handle

    def handled(signal, now):
        if signal == Woke():
            woken.set()
        return handle(signal, now)

    monkeypatch.setattr(loop.steps, "handle", handled)
    return woken


def test_after_a_step_that_failed_the_loop_still_wakes_when_it_is_due(loop, inbox, monkeypatch):
    woken = watch_for_woke(loop, monkeypatch)
    loop.steps.core.broken = ("SourceChanged",)
    loop.start(1, "hash")
    assert woken.wait(10)  # plugins are ticked behind the start
    woken.clear()
    due = time.monotonic() + 1.5
    monkeypatch.setattr(loop.steps.core, "next_due", lambda *_: due)
    inbox.post(SourceChanged("camera", "lost"))
    assert woken.wait(10)


def test_a_loop_that_cannot_tell_when_it_is_due_wakes_now_and_then(loop, inbox, monkeypatch):
    monkeypatch.setattr("edge.steps.IDLE_S", 0.6)
    woken = watch_for_woke(loop, monkeypatch)
    loop.steps.core.deaf = True
    loop.start(1, "hash")
    assert woken.wait(10)


def test_a_loop_that_cannot_tell_when_it_is_due_still_hears(loop, inbox):
    loop.steps.core.deaf = True
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
        loop.steps.handle(signal, clock())
    assert (loop.state, notes.rows) == (before, [])


def test_it_decides_on_what_the_journal_holds(loop, notes, clock):
    loop.steps.handle(NodeReading("board", "temperature", 21), clock())
    value = loop.state.room.readings["temperature"].value
    assert isinstance(value, float)
    assert notes.signals()[0].value == value


def test_a_port_that_raises_leaves_what_was_decided_journaled(loop, notes, inbox):
    def refuse(*_):
        raise RuntimeError("no such plugin")

    loop.steps.ports = replace(loop.steps.ports, call=refuse)
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
