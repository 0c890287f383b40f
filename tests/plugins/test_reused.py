"""Reused instances: kept between calls, made anew after a failure, many calls or much memory."""

import pytest

from edge.contracts.signals import PluginAnswered, PluginFailed
from edge.plugins import guest as guests
from edge.plugins.errors import PluginError
from edge.plugins.host import PluginCall, PluginHost
from edge.plugins.sandbox import GuestError, Sandbox
from tests.plugins.guests import Posted, component, event, guest

REUSED = '[limits]\ninstance = "reused"\nmemory_mb = 256\ndeadline_ms = 1000'
# Counts the calls of its memory's life in the answer: 0, 1, 2 ... and traps at the eighth.
COUNT = """(i32.store8 (i32.const 1024) (i32.add (i32.const 48) (i32.load (i32.const 16))))
  (if (i32.eq (i32.load (i32.const 16)) (i32.const 7)) (then (unreachable)))
  (i32.store (i32.const 16) (i32.add (i32.load (i32.const 16)) (i32.const 1)))"""
COUNTING = component(body=COUNT.replace("(i32.const 16)", "(i32.const 512)"), answer="0")


def answers(calls: int, more: str = REUSED) -> list[str]:
    plugin = guest(COUNTING, more=more)
    box = Sandbox()
    found = []
    try:
        made = box.compile("guest", plugin.wasm, plugin.manifest.limits)
        for _ in range(calls):
            try:
                found.append(made.call("handle", ""))
            except GuestError:
                found.append("!")
            made.prepare()
        made.close()
    finally:
        box.close()
    return found


def test_reused_instance_is_kept_and_a_trap_ends_it() -> None:
    assert answers(10) == [*"0123456", "!", "0", "1"]


def test_fresh_instance_remembers_nothing() -> None:
    assert answers(3, "") == ["0", "0", "0"]


def test_many_calls_wear_an_instance_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "CALLS_KEPT", 3)
    assert answers(7) == ["0", "1", "2", "0", "1", "2", "0"]


def test_much_memory_wears_an_instance_out(monkeypatch: pytest.MonkeyPatch) -> None:
    megabytes = iter((100, 100, 228, 229, 229, 229))
    monkeypatch.setattr(guests, "GROWTH_EVERY", 1)
    monkeypatch.setattr(guests, "_resident_mb", lambda: next(megabytes))
    assert answers(4) == ["0", "1", "2", "0"]


def test_an_answer_that_is_none_ends_the_instance_too() -> None:
    posted = Posted()
    host = PluginHost([guest(COUNTING, more=REUSED)], posted)
    host.start()
    try:
        for _ in range(2):
            host.submit(PluginCall("guest", (event(),), 1e9, 1))
            (failed,) = posted.take(1)
            assert isinstance(failed, PluginFailed)
            # The guest answers "0" each time: its count began anew.
            assert "got `int`" in failed.reason
    finally:
        host.stop()


def test_memory_beyond_a_fresh_instances_share_needs_reuse() -> None:
    assert guest(COUNTING, more=REUSED).manifest.limits.memory_mb == 256
    with pytest.raises(PluginError, match=r'at most 16: .*instance = "reused"'):
        guest(COUNTING, more="[limits]\nmemory_mb = 17")
    with pytest.raises(PluginError, match="257"):
        guest(COUNTING, more=REUSED.replace("256", "257"))


def test_reused_instance_may_grow_to_its_cap_and_not_beyond() -> None:
    # 254 MB more than the 128 kB it begins with, then 4 MB more.
    grow = """(if (i32.eq (memory.grow (i32.const 4064)) (i32.const -1)) (then (unreachable)))
      (if (i32.ne (memory.grow (i32.const 64)) (i32.const -1)) (then (unreachable)))"""
    posted = Posted()
    host = PluginHost([guest(component(body=grow), more=REUSED)], posted)
    host.start()
    try:
        host.submit(PluginCall("guest", (event(),), 1e9, 1))
        (answered,) = posted.take(1)
    finally:
        host.stop()
    assert isinstance(answered, PluginAnswered), answered
