"""Hostile guests, each in the real sandbox on the host's own thread, beside a good plugin."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edge.contracts.signals import PluginAnswered, PluginFailed
from edge.plugins.errors import PluginError
from edge.plugins.host import PluginCall, PluginHost
from edge.plugins.install import InstalledPlugin
from edge.plugins.sandbox import GuestError, Sandbox
from tests.plugins.guests import ROOT, Posted, component, event, guest, shipped
from tests.plugins.hostile_guest import AFTER_THE_ANSWER, CASES, LIMITS, hostile, named

COMPILER = ROOT / ".venv-wasm" / "bin" / "python"

LOOP = "(loop $l (br $l))"
GROW = """(loop $l (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1))
  (then (unreachable))) (br $l))"""
RECURSE = "(func $f (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1)))"
LOG_FLOOD = (
    """(loop $l (call $log (i32.const 8) (i32.const 4) (i32.const 8) (i32.const 8)) (br $l))"""
)
COMMAND = {"event": "e1", "actuator": "light.main", "value": 1, "lease_s": 60}


def answering(**fields: object) -> bytes:
    return component(answer=json.dumps({"commands": [{**COMMAND, **fields}]}))


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "endless loop": (lambda: component(body=LOOP), "ran over its deadline of 20 ms"),
    "memory bomb": (lambda: component(body=GROW), "unreachable"),
    "stack overflow": (
        lambda: component(functions=RECURSE, body="(drop (call $f (i32.const 0)))"),
        "call stack exhausted",
    ),
    "trap": (lambda: component(body="(unreachable)"), "unreachable"),
    "out of bounds": (
        lambda: component(body="(drop (i32.load (i32.const 0x7fffffff)))"),
        "out of bounds",
    ),
    "2 GB answer": (
        lambda: component(body="(return (call $text (i32.const 0) (i32.const 0x7fffffff)))"),
        "stopped",
    ),
    "answer beyond its limit": (
        lambda: component(
            body="""(drop (memory.grow (i32.const 8)))
              (return (call $text (i32.const 65536) (i32.const 300000)))"""
        ),
        "answered 300000 bytes; its manifest allows 131072",
    ),
    "flood of host calls": (lambda: component(body=LOG_FLOOD), "too many calls to the host"),
    "no JSON": (lambda: component(answer="hello"), "answered no PluginOutput"),
    "empty answer": (lambda: component(answer=""), "answered no PluginOutput"),
    "deep JSON": (lambda: component(answer="[" * 60000), "answered no PluginOutput"),
    "no UTF-8": (
        lambda: component(
            body="""(i32.store8 (i32.const 900) (i32.const 255))
              (return (call $text (i32.const 900) (i32.const 1)))"""
        ),
        "stopped",
    ),
    "unknown field": (lambda: component(answer='{"commands":[],"exec":"rm"}'), "exec"),
    "another schema": (lambda: component(answer='{"commands":[],"schema":9}'), "schema 9"),
    "event it was not given": (lambda: answering(event="other"), "which it was not given"),
    "infinite value": (lambda: answering(value=1e300), "sets 'light.main' to"),
    "no actuator": (lambda: answering(actuator=""), "sets ''"),
    "lease for ever": (lambda: answering(lease_s=1e9), "lease of 1e+09 s"),
    "no lease": (lambda: answering(lease_s=0), "lease of 0 s"),
    "long reason": (lambda: answering(reason="x" * 513), "longer than 512 bytes"),
    "65 commands for one event": (
        lambda: component(answer=json.dumps({"commands": [COMMAND] * 65})),
        "65 commands for one event",
    ),
    "much state": (
        lambda: component(answer=json.dumps({"commands": [], "state": "s" * 16385})),
        "16385 bytes of state",
    ),
}


@contextmanager
def running(*plugins: InstalledPlugin) -> Iterator[tuple[PluginHost, Posted]]:
    posted = Posted()
    host = PluginHost(plugins, posted)
    host.start()
    try:
        yield host, posted
    finally:
        host.stop()


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_guest_is_contained_and_named(case: str) -> None:
    make, reason = HOSTILE[case]
    with running(guest(make()), *shipped("climate")) as (host, posted):
        for plugin in ("guest", "climate"):
            host.submit(PluginCall(plugin, (event("e1"),), 1e9, 1))
        found = posted.by_source(posted.take(2))
    (failed,) = found["plugin:guest"]
    assert isinstance(failed, PluginFailed)
    assert reason in failed.reason
    assert failed.events == ("e1",)
    assert not failed.quarantined
    assert isinstance(found["plugin:climate"][0], PluginAnswered)


@pytest.mark.parametrize("case", [case for case in CASES if case not in AFTER_THE_ANSWER])
def test_hostile_guest_in_c_is_contained_and_named(case: str) -> None:
    plugin = guest(hostile(case), named(case), LIMITS)
    with running(plugin, *shipped("climate")) as (host, posted):
        for name in (named(case), "climate"):
            host.submit(PluginCall(name, (event("e1"),), 1e9, 1))
        found = posted.by_source(posted.take(2))
    (failed,) = found[f"plugin:{named(case)}"]
    assert isinstance(failed, PluginFailed), failed
    assert CASES[case] in failed.reason
    assert isinstance(found["plugin:climate"][0], PluginAnswered)


def test_the_hostile_guest_can_be_good_and_what_it_shouts_is_bounded() -> None:
    with running(guest(hostile("good"), named("good"), LIMITS)) as (host, posted):
        host.submit(PluginCall(named("good"), (event("e1"),), 1e9, 1))
        (good,) = posted.take(1)
    assert isinstance(good, PluginAnswered)
    assert good.commands[0].value == 40
    with running(guest(hostile("shout"), named("shout"), LIMITS)) as (host, posted):
        said = []
        for _ in range(3):
            host.submit(PluginCall(named("shout"), (event("e1"),), 1e9, 1))
            said += [answer.said for answer in posted.take(1)]  # type: ignore[union-attr]
    # 150 lines a call, of which 16 are heard, and 30 a minute journaled.
    assert [len(lines) for lines in said] == [16, 14, 0]


@pytest.mark.slow
@pytest.mark.skipif(not COMPILER.exists(), reason="no .venv-wasm (lock/wasm.txt) to rebuild with")
def test_the_hostile_guest_is_what_its_source_gives() -> None:
    done = subprocess.run(
        [COMPILER, "-m", "tests.plugins.hostile_build", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_endless_loop_ends_while_host_threads_are_busy() -> None:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with running(guest(component(body=LOOP)), *shipped("climate")) as (host, posted):
            host.submit(PluginCall("guest", (event(),), 1e9, 1))
            host.submit(PluginCall("climate", (event(),), 1e9, 1))
            found = posted.by_source(posted.take(2))
        assert "deadline" in found["plugin:guest"][0].reason  # type: ignore[union-attr]
        assert isinstance(found["plugin:climate"][0], PluginAnswered)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_log_lines_beyond_the_quota_are_dropped() -> None:
    once = "(call $log (i32.const 8) (i32.const 4) (i32.const 8) (i32.const 8))"
    plugin = guest(component(body=once * 20))
    said: list[str] = []
    box = Sandbox()
    try:
        made = box.compile(
            "guest", plugin.wasm, plugin.manifest.limits, lambda _, m: said.append(m)
        )
        made.call("handle", "{}")
    finally:
        box.close()
    assert len(said) == plugin.manifest.limits.log_lines


def test_foreign_actuators_pass_the_host_for_policy_and_gate_to_judge() -> None:
    with running(guest(answering(actuator="door.lock"))) as (host, posted):
        host.submit(PluginCall("guest", (event(),), 1e9, 1))
        (answered,) = posted.take(1)
    assert isinstance(answered, PluginAnswered)
    assert answered.commands[0].actuator == "door.lock"


def test_imports_beyond_log_are_refused_at_load() -> None:
    wasi = '(import "wasi:cli/environment@0.2.0" (instance))'
    plugin = guest(component(extra=wasi))
    box = Sandbox()
    try:
        with pytest.raises(PluginError, match=r"imports wasi:cli/environment.*without WASI"):
            box.compile("guest", plugin.wasm, plugin.manifest.limits)
        with pytest.raises(PluginError, match="not a WebAssembly component"):
            box.compile("guest", b"(component)", plugin.manifest.limits)
        with pytest.raises(PluginError, match="does not load"):
            box.compile("guest", plugin.wasm[:200], plugin.manifest.limits)
    finally:
        box.close()


def test_plugin_that_does_not_load_is_posted_and_its_events_are_answered() -> None:
    with running(guest(component(name="impostor"))) as (host, posted):
        host.submit(PluginCall("guest", (event(),), 1e9, 1))
        loading, calling = posted.take(2)
    assert isinstance(loading, PluginFailed)
    assert isinstance(calling, PluginFailed)
    assert "says it is" in loading.reason
    assert loading.quarantined
    assert calling.events == ("e1",)


def test_calls_in_a_row_share_a_timer_and_each_has_its_whole_time() -> None:
    slow = """(local $n i32) (local.set $n (i32.const 30000000))
      (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"""
    more = "[limits]\ndeadline_ms = 1000"
    plugin, endless = guest(component(body=slow), more=more), guest(component(body=LOOP))
    box = Sandbox(in_a_row=True)
    try:
        made = box.compile("slow", plugin.wasm, plugin.manifest.limits)
        stuck = box.compile("stuck", endless.wasm, endless.manifest.limits)
        for _ in range(60):
            made.call("handle", "")
        # What ran out does not end the next one early.
        for _ in range(5):
            with pytest.raises(GuestError, match="deadline of 20 ms"):
                stuck.call("handle", "")
            made.call("handle", "")
        box.timer.rest()
        made.call("handle", "")
        made.close()
        stuck.close()
    finally:
        box.close()


def test_an_answer_as_large_as_the_memory_is_contained() -> None:
    # 15 MB of zeros, which are valid text: what is copied is bounded by what it may own.
    body = """(drop (memory.grow (i32.const 250)))
      (return (call $text (i32.const 131072) (i32.const 15728640)))"""
    plugin = guest(component(body=body), more="[limits]\nmemory_mb = 16")
    with running(plugin, *shipped("climate")) as (host, posted):
        for name in ("guest", "climate"):
            host.submit(PluginCall(name, (event("e1"),), 1e9, 1))
        found = posted.by_source(posted.take(2))
    assert "answered 15728640 bytes; its manifest allows" in found["plugin:guest"][0].reason  # type: ignore[union-attr]
    assert isinstance(found["plugin:climate"][0], PluginAnswered)
