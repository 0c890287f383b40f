"""What a plugin call costs and how fast a spinning one ends: `python -m tests.bench.plugins`."""

import json
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from edge.contracts.plugin import PluginEvent, PluginInput, PluginOutput, output_decoder
from edge.contracts.signals import PluginFailed
from edge.plugins.cache import CompileCache
from edge.plugins.host import SWITCH_S, PluginCall, PluginHost
from edge.plugins.install import InstalledPlugin
from edge.plugins.private import PrivateFolder
from edge.plugins.sandbox import Instance, Sandbox
from tests.bench.extism.peer import DEADLINE_MS, Peer
from tests.plugins.guests import Posted, component, event, guest, shipped

ROUNDS = 5
CALLS = 2000
EVENT = PluginEvent(
    id="bench-1-1", kind="presence", occupied=True, probability=0.97, count=3, meeting="active",
    intent="quiet-video", targets={"light.main": 70}, readings={"illuminance": 120.0},
)  # fmt: skip


def say(figure: str, value: float, unit: str, peer: str = "", ratio: float | None = None) -> None:
    print(json.dumps(
        {"figure": figure, "value": round(value, 2), "unit": unit, "peer": peer, "ratio": ratio}
    ))  # fmt: skip


def native(text: str) -> str:
    """The same decision as a Python function with JSON both ways, and no sandbox."""
    given = json.loads(text)
    commands = [
        {"event": e["id"], "actuator": name, "value": level, "lease_s": 180, "reason": e["intent"]}
        for e in given["events"]
        for name, level in e["targets"].items()
    ]
    return json.dumps({"commands": commands, "state": given.get("state", "")})


def timed(call: Callable[[], object], into: list[float]) -> None:
    for _ in range(CALLS):
        begun = time.perf_counter()
        call()
        into.append((time.perf_counter() - begun) * 1e6)


def quantile(times: list[float], share: float) -> float:
    return sorted(times)[int(len(times) * share)]


def resident_kb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def call_cost() -> None:
    box = Sandbox(in_a_row=True)
    plugin = shipped("lights")[0]
    # Room for a machine that is busy with other things: a call cut short would cost nothing.
    limits = msgspec.structs.replace(plugin.manifest.limits, deadline_ms=DEADLINE_MS)
    lights = box.compile("lights", plugin.wasm, limits)
    fixed = box.compile("fixed", component(), limits)
    text = msgspec.json.encode(PluginInput((EVENT,), 1e9, 1, settings=plugin.settings)).decode()
    extism, unbounded = Peer(deadline=True), Peer(deadline=False)
    with Instance(lights) as kept, Instance(fixed) as boundary:
        # The same sources behind both boundaries: they must give the same answer.
        assert extism.call(text) == unbounded.call(text) == kept.call("handle", text)
        cases: dict[str, Callable[[], object]] = {
            "native Python function, JSON both ways": lambda: native(text),
            "Extism, lights, deadline 200 ms": lambda: extism.call(text),
            "Extism, lights, no deadline": lambda: unbounded.call(text),
            "plugin call, reused instance, boundary only": lambda: boundary.call("handle", ""),
            "plugin call, reused instance, lights": lambda: kept.call("handle", text),
            "plugin call, fresh instance, lights": lambda: lights.call("handle", text),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(ROUNDS):
            for name, call in cases.items():
                timed(call, times[name])
                box.timer.rest()
        peer = "Extism, lights, no deadline"
        base = quantile(times[peer], 0.5)
        for name, found in times.items():
            p50 = quantile(found, 0.5)
            say(f"{name} p50", p50, "us", peer, round(p50 / base, 2))
            say(f"{name} p99", quantile(found, 0.99), "us")
        before = resident_kb()
        for _ in range(100_000):
            kept.call("handle", text)
        say("resident memory after 100,000 reused calls", resident_kb() - before, "kB more")
    before = resident_kb()
    for _ in range(20_000):
        lights.call("handle", text)
    say("resident memory after 20,000 fresh calls", resident_kb() - before, "kB more")
    start_cost(box, plugin)
    assert isinstance(output_decoder.decode(lights.call("handle", text)), PluginOutput)
    box.close()


def start_cost(box: Sandbox, plugin: InstalledPlugin) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = CompileCache(PrivateFolder(Path(folder) / "compiled"))
        for name in ("compile lights, and keep it", "load lights from the compile cache"):
            begun = time.perf_counter()
            cache.guest(box, plugin)
            say(name, (time.perf_counter() - begun) * 1e3, "ms")


def burst() -> None:
    posted = Posted()
    host = PluginHost(shipped("lights"), posted)
    calls = [PluginCall("lights", (event(f"e{n}", occupied=True),), 1e9, 1) for n in range(5000)]
    host.start()
    begun = time.perf_counter()
    for call in calls:
        host.submit(call)
    answered = 0
    while answered < 5000:
        answered += len(posted.take(1)[0].events)  # type: ignore[union-attr]
    say("burst of 5,000 edges through the host", 5000 / (time.perf_counter() - begun), "events/s")
    host.stop()


def containment() -> None:
    """From submit to PluginFailed beside three spinning threads, as in the room's process.

    The peer is a thread that is handed the same and only sleeps for the deadline: what the system
    and the interpreter's lock take of it, no sandbox can give back.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            sum(range(1000))

    answers: queue.Queue[tuple[float, PluginFailed]] = queue.Queue()
    asked: queue.Queue[bool] = queue.Queue()
    slept: queue.Queue[float] = queue.Queue()

    def sleeper() -> None:
        while asked.get():
            time.sleep(0.02)
            slept.put(time.perf_counter())

    host = PluginHost(
        [guest(component(body="(loop $l (br $l))"))],
        lambda signal: answers.put((time.perf_counter(), signal)),  # type: ignore[arg-type]
    )
    host.start()
    threads = [threading.Thread(target=busy) for _ in range(3)]
    threads.append(threading.Thread(target=sleeper))
    for thread in threads:
        thread.start()
    found: list[float] = []
    peers: list[float] = []
    for _ in range(50):
        host.release("guest")
        begun = time.perf_counter()
        host.submit(PluginCall("guest", (event(),), 1e9, 1))
        ended, failed = answers.get(timeout=10)
        assert "deadline" in failed.reason, failed
        found.append((ended - begun) * 1e3)
        begun = time.perf_counter()
        asked.put(True)
        peers.append((slept.get(timeout=10) - begun) * 1e3)
    stop.set()
    asked.put(False)
    for thread in threads:
        thread.join()
    host.stop()
    sys.setswitchinterval(usual)
    peer = "a thread that sleeps 20 ms instead"
    for name, share in (("p50", 0.5), ("p90", 0.9), ("worst", 0.999)):
        ours, theirs = quantile(found, share), quantile(peers, share)
        say(f"{peer}, 3 busy threads, {name}", theirs, "ms")
        say(
            f"endless loop contained, 3 busy threads, deadline 20 ms, {name}", ours, "ms", peer,
            round(ours / theirs, 2),
        )  # fmt: skip


if __name__ == "__main__":
    call_cost()
    burst()
    containment()
