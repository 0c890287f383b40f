"""The host's promises: one answer per batch, order, coalescing, quarantine, kept state."""

import json

import pytest

from edge.contracts.plugin import PluginEvent
from edge.contracts.signals import PluginAnswered, PluginFailed
from edge.plugins import guest as guests
from edge.plugins import queue as plugin_queue
from edge.plugins.errors import PluginError
from edge.plugins.host import PluginCall, PluginHost
from edge.plugins.queue import BATCH, Waiting
from tests.plugins.guests import Posted, component, event, guest, shipped
from tests.world.waiting import until


def call(*events: PluginEvent, plugin: str = "lights", now: float = 1e9) -> PluginCall:
    return PluginCall(plugin, events, now, 1)


def test_burst_of_edges_is_answered_exactly_once_each() -> None:
    posted = Posted()
    host = PluginHost(shipped("lights"), posted)
    ids = [f"room-1-{n}" for n in range(5000)]
    for name in ids:
        host.submit(call(event(name, occupied=True)))
    host.start()
    try:
        answers = posted.take(-(-5000 // BATCH))
    finally:
        host.stop()
    assert posted.signals.empty()
    assert all(isinstance(answer, PluginAnswered) for answer in answers)
    commands = [c.event for a in answers if isinstance(a, PluginAnswered) for c in a.commands]
    assert commands == ids
    assert [e for a in answers if isinstance(a, PluginAnswered) for e in a.events] == ids


def test_the_next_instance_is_made_while_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Seen(guests.Instance):
        def __init__(self, guest: guests.Guest) -> None:
            super().__init__(guest)
            made.append("made")

        def call(self, export: str, text: str | None) -> str:
            made.append(export)
            return super().call(export, text)

    monkeypatch.setattr(guests, "Instance", Seen)
    posted = Posted()
    host = PluginHost(shipped("lights"), posted)
    host.start()
    try:
        for name in ("a", "b"):
            host.submit(call(event(name, occupied=True)))
            posted.take(1)
        until(lambda: made.count("made") == 4)
    finally:
        host.stop()
    assert made == ["made", "describe", "made", "handle", "made", "handle", "made"]


def test_the_thread_is_idle_with_the_last_answer_only() -> None:
    told: list[tuple[str, bool]] = []
    host = PluginHost(
        shipped("lights", "climate"), lambda signal: told.append((signal.source, host.idle))
    )
    for name in ("lights", "climate"):
        host.submit(call(event("a", occupied=True), plugin=name))
    host.start()
    try:
        until(lambda: len(told) == 2)
    finally:
        host.stop()
    assert told == [("plugin:lights", False), ("plugin:climate", True)]


def test_ticks_coalesce_and_edges_before_them_come_first() -> None:
    waiting = Waiting()
    tick1, tick2 = event("t1", kind="tick"), event("t2", kind="tick")
    waiting.add(call(tick1, event("a")))
    waiting.add(call(tick2, event("b"), now=5.0))
    assert [e.id for e in waiting.take()] == ["a", "b", "t2"]
    assert (waiting.coalesced, waiting.now) == (1, 5.0)
    assert not waiting


def test_edges_beyond_the_bound_are_reported_then_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin_queue, "EDGES", 2)
    posted = Posted()
    host = PluginHost(shipped("lights"), posted)
    host.submit(call(*(event(f"e{n}") for n in range(5))))
    host.start()
    try:
        refused, answered = posted.take(2)
    finally:
        host.stop()
    assert isinstance(refused, PluginFailed)
    assert refused.events == ("e2", "e3")
    assert isinstance(answered, PluginAnswered)
    assert answered.events == ("e0", "e1")
    assert host._waiting["lights"].lost == 1


def test_third_failure_in_a_minute_quarantines_until_released() -> None:
    posted = Posted()
    clock = [100.0]
    host = PluginHost([guest(component(body="(unreachable)"))], posted, lambda: clock[0])
    host.start()
    seen = []
    try:
        for _ in range(5):
            host.submit(call(event(), plugin="guest"))
            seen += posted.take(1)
            clock[0] += 25.0
        host.release("guest")
        host.submit(call(event(), plugin="guest"))
        seen += posted.take(1)
    finally:
        host.stop()
    assert [s.quarantined for s in seen if isinstance(s, PluginFailed)] == [
        False, False, True, True, True, False,
    ]  # fmt: skip
    assert "quarantined" in seen[3].reason  # type: ignore[union-attr]
    assert "quarantined" not in seen[5].reason  # type: ignore[union-attr]


@pytest.mark.parametrize("given", [0.0, 0.02])
def test_a_machine_without_time_for_it_is_no_fault_of_a_plugin(given: float) -> None:
    posted = Posted()
    used = iter(given * n for n in range(100))
    loop = guest(component(body="(loop $l (br $l))"))
    host = PluginHost([loop], posted, lambda: 100.0, cpu=lambda: next(used))
    host.start()
    try:
        for _ in range(3):
            host.submit(call(event(), plugin="guest"))
            posted.take(1)
        host.submit(call(event(), plugin="guest"))
        (last,) = posted.take(1)
    finally:
        host.stop()
    assert isinstance(last, PluginFailed)
    assert last.quarantined == (given > 0)
    assert ("the machine is overloaded" in last.reason) == (given == 0)


def test_failures_more_than_a_minute_apart_do_not_quarantine() -> None:
    posted = Posted()
    clock = [100.0]
    host = PluginHost([guest(component(body="(unreachable)"))], posted, lambda: clock[0])
    host.start()
    try:
        for _ in range(4):
            host.submit(call(event(), plugin="guest"))
            assert not posted.take(1)[0].quarantined  # type: ignore[union-attr]
            clock[0] += 31.0
    finally:
        host.stop()


def test_state_is_kept_between_calls_and_restored_after_a_restart() -> None:
    def ask(host: PluginHost, posted: Posted, now: float, **fields: object) -> PluginAnswered:
        host.submit(call(event(f"at{now}", **fields), now=now))
        (answer,) = posted.take(1)
        assert isinstance(answer, PluginAnswered)
        return answer

    posted = Posted()
    first = PluginHost(shipped("lights"), posted)
    first.start()
    try:
        kept = ask(first, posted, 1000.0, occupied=True, count=2)
    finally:
        first.stop()
    assert json.loads(kept.state)["seen"] == 1000.0
    for state, value in ((kept.state, 80), ("", 0)):
        again = PluginHost(shipped("lights"), posted)
        again.restore("lights", state, kept.state_version)
        again.start()
        try:
            assert ask(again, posted, 1060.0).commands[0].value == value
        finally:
            again.stop()


def test_unknown_plugin_is_an_error_that_says_what_to_do() -> None:
    host = PluginHost([], Posted())
    with pytest.raises(PluginError, match="'blinds' is not installed"):
        host.submit(call(event(), plugin="blinds"))
