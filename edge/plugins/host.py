"""The thread "plugins": hands every plugin what has gathered for it and posts what it answered."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog
from prometheus_client import Counter, Histogram

from edge.contracts.plugin import PluginEvent
from edge.contracts.signals import Health, PluginAnswered, PluginFailed, Signal, SourceChanged
from edge.plugins.cache import CompileCache
from edge.plugins.errors import PluginError
from edge.plugins.install import InstalledPlugin
from edge.plugins.loader import Loader, Ready, Refused
from edge.plugins.queue import PluginCall, Waiting
from edge.plugins.runner import Runner
from edge.plugins.sandbox import GuestError, Sandbox
from edge.plugins.selftest import OVERLOADED, at_fault
from edge.plugins.shelf import Shelf

__all__ = ["PluginCall", "PluginHost", "Post"]

Post = Callable[[Signal], None]
# A guest's stack lives on ours: with a small one, deep recursion would kill the process.
STACK = 2 * 1024 * 1024
SWITCH_S = 0.0005
"""How long a busy thread may keep the interpreter's lock from a guest that ended, seconds."""
PREPARE_AFTER_S = 0.001
"""How long others are busy with an answer: to make the next instance would take the interpreter's
lock from whoever makes the answer durable."""
LARGE = 512 * 1024
"""Bytes of a module from which on it is compiled beside the others, not before them."""

CALLS = Counter("roomkeeper_plugin_calls", "Plugin calls", ["plugin", "outcome"])
DROPPED = Counter("roomkeeper_plugin_dropped", "Events a plugin never saw", ["plugin", "why"])
SECONDS = Histogram(
    "roomkeeper_plugin_call_seconds", "Time of one call", ["plugin"],
    buckets=(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1),
)  # fmt: skip

log = structlog.get_logger()


class PluginHost:
    """Runs plugins on a thread of its own. Every method may be called from any thread."""

    name = "plugins"

    def __init__(
        self,
        plugins: Sequence[InstalledPlugin],
        post: Post,
        mono: Callable[[], float] = time.monotonic,
        *,
        cpu: Callable[[], float] = time.thread_time,
        enabled: Sequence[str] = (),
        cache: CompileCache | None = None,
        shelf: Shelf | None = None,
        changing: Callable[[InstalledPlugin], None] = lambda _plugin: None,
    ) -> None:
        """cpu: processor time of the calling thread, seconds.

        enabled: what the shelf is watched for, whether or not it could run at the start.

        changing: hears of a plugin that takes over, before anything of it is posted.
        """
        self._post, self._mono, self._cpu = post, mono, cpu
        self._cache, self._changing = cache, changing
        self._runners = {plugin.id: Runner(plugin) for plugin in plugins}
        self._waiting = {name: Waiting() for name in self._runners}
        # Taken itself, in C: the condition's own way to it is Python, at every call.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._arrived: deque[Ready | Refused] = deque()
        if cache is not None:
            cache.when_refused(self._compiled_anew)
        self._loader = Loader(plugins, enabled, cache, shelf, self._arrive)
        self._answered: dict[str, Runner] = {}
        """Those whose next instance is still to be made."""
        self._stopping = False
        self._thread: threading.Thread | None = None

    def submit(self, call: PluginCall) -> None:
        """Queue a call; never blocks. PluginError when no such plugin is installed."""
        with self._lock:
            waiting = self._waiting.get(call.plugin)
            if waiting is None:
                raise PluginError(f"{call.plugin!r} is not installed; enable it in the room's file")
            ticks, lost = waiting.coalesced, waiting.lost
            waiting.add(call)
            dropped = waiting.coalesced - ticks, waiting.lost - lost
            self._changed.notify()
        for why, count in zip(("coalesced", "full"), dropped, strict=True):
            if count:
                DROPPED.labels(call.plugin, why).inc(count)

    def restore(self, plugin: str, state: str, version: int = 1) -> None:
        """Give a plugin the state it kept before a restart; call it before start().

        version: of the kept text, as its manifest said then; another one's is not handed in.
        """
        with self._lock:
            runner = self._runners.get(plugin)
            if runner is not None and runner.plugin.manifest.state == version:
                runner.state = state

    def release(self, plugin: str) -> None:
        """End a plugin's quarantine."""
        with self._lock:
            if plugin in self._runners:
                self._runners[plugin].release()

    def start(self) -> None:
        """Start the thread; plugins load there, and one that does not is posted as failed.

        PluginError when the system has no timer left for deadlines.
        """
        box = Sandbox(in_a_row=True)
        before = threading.stack_size(STACK)
        try:
            self._thread = threading.Thread(target=self._run, args=(box,), name="plugins")
            self._loader.start()
            self._thread.start()
        finally:
            threading.stack_size(before)

    def stop(self) -> None:
        """End the threads once the call that runs is over: its deadline bounds that."""
        with self._lock:
            self._stopping = True
            self._changed.notify()
        self._loader.stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, box: Sandbox) -> None:
        try:
            for runner in self._runners.values():
                self._load(runner, box)
            while self._wait(box):
                while self._arrived:
                    self._take_over(self._arrived.popleft(), box)
                for name in tuple(self._runners):
                    self._serve(name)
        finally:
            for runner in self._runners.values():
                runner.close()
            box.close()

    def _wait(self, box: Sandbox) -> bool:
        """Return once there is something to do; False: to end."""
        if not (self._answered and self._rest(box, PREPARE_AFTER_S)):
            while self._answered:
                self._answered.popitem()[1].prepare()
            self._rest(box, None)
        return not self._stopping

    def _rest(self, box: Sandbox, seconds: float | None) -> bool:
        with self._lock:
            if not self._due():
                box.timer.rest()
            ends = self._changed.wait_for(
                lambda: self._stopping or self._arrived or self._due(), seconds
            )
            return bool(ends)

    @property
    def idle(self) -> bool:
        """Whether no plugin has anything to hear: then their thread may wait for something."""
        return not self._due()

    def _due(self) -> bool:
        for name, runner in self._runners.items():  # noqa: SIM110 - a generator costs as much again
            if self._waiting[name] and runner.answers:
                return True
        return False

    def _load(self, runner: Runner, box: Sandbox) -> None:
        plugin = runner.plugin
        held = self._cache is not None and self._cache.holds(plugin)
        if len(plugin.wasm) >= LARGE and not held:
            self._loader.load(plugin)
            return
        try:
            runner.load(box, self._cache)
        except PluginError as error:
            self._unfit(runner, str(error))

    def _arrive(self, found: Ready | Refused) -> None:
        with self._lock:
            self._arrived.append(found)
            self._changed.notify()

    def _take_over(self, found: Ready | Refused, box: Sandbox) -> None:
        """Let a plugin take over from what runs; when it cannot, what runs goes on."""
        if isinstance(found, Refused):
            self._refuse(found.name, found.reason, found.harmless)
            return
        name, new = found.plugin.id, Runner(found.plugin)
        try:
            new.load(box, self._cache, found.compiled)
        except PluginError as error:
            self._refuse(name, f"{new.plugin.version} does not load: {error}")
            return
        old = self._runners.get(name)
        if old is not None:
            new.inherit(old)
            old.close()
            self._answered.pop(name, None)
        with self._lock:
            self._waiting.setdefault(name, Waiting())
            self._runners[name] = new
        self._changing(new.plugin)
        log.info("plugin runs", plugin=name, version=new.plugin.version, why=found.why)
        self._post(SourceChanged(f"plugin:{name}", "ok", f"runs {new.plugin.version}: {found.why}"))

    def _refuse(self, name: str, reason: str, harmless: bool = False) -> None:
        runner = self._runners.get(name)
        if runner is not None and not runner.answers and reason and not harmless:
            self._unfit(runner, reason)
            return
        health: Health = "degraded" if reason and not harmless else "ok"
        if reason:
            log.warning("plugin not taken", plugin=name, reason=reason)
        self._post(SourceChanged(f"plugin:{name}", health, reason))

    def _compiled_anew(self, name: str, reason: str) -> None:
        why = f"its compiled code was refused and made anew: {reason}"
        self._post(SourceChanged(f"plugin:{name}", "ok", why))

    def _unfit(self, runner: Runner, reason: str) -> None:
        runner.quarantined, runner.unfit = reason, True
        self._fail(runner, (), reason)
        self._loader.replace(runner.plugin, reason)

    def _serve(self, name: str) -> None:
        """Hand one plugin its next batch; others get their turn before its rest."""
        runner, waiting = self._runners[name], self._waiting[name]
        if not runner.answers:
            return
        with self._lock:
            batch, refused = waiting.take(), waiting.take_refused()
            now, seed = waiting.now, waiting.seed
        if refused:
            DROPPED.labels(name, "full").inc(len(refused))
            self._fail(runner, refused, "too many events waited for it")
        if not batch or self._stopping:
            return
        ids = tuple([event.id for event in batch])
        if runner.quarantined:
            DROPPED.labels(name, "quarantined").inc(len(batch))
            self._fail(runner, ids, f"quarantined: {runner.quarantined}")
            return
        self._call(runner, batch, ids, now, seed)

    def _call(
        self,
        runner: Runner,
        batch: tuple[PluginEvent, ...],
        ids: tuple[str, ...],
        now: float,
        seed: int,
    ) -> None:
        name, begun, used = runner.plugin.id, self._mono(), self._cpu()
        try:
            output = runner.call(batch, now, seed)
        except GuestError as error:
            ended, reason = self._mono(), str(error)
            used = self._cpu() - used
            if at_fault(error, used, runner.plugin.manifest.limits):
                runner.failed(reason, ended)
            else:
                reason += f", of which it was given {used * 1000:.0f}: {OVERLOADED}"
            self._fail(runner, ids, reason)
            if runner.quarantined:
                self._loader.replace(runner.plugin, runner.quarantined)
        else:
            ended = self._mono()
            version, said = runner.plugin.manifest.state, runner.said(ended)
            self._post(
                PluginAnswered(f"plugin:{name}", ids, output.commands, output.state, version, said)
            )
            CALLS.labels(name, "answered").inc()
            self._answered[name] = runner
        SECONDS.labels(name).observe(ended - begun)

    def _fail(self, runner: Runner, ids: tuple[str, ...], reason: str) -> None:
        name = runner.plugin.id
        CALLS.labels(name, "failed").inc()
        said = runner.said(self._mono())
        self._post(PluginFailed(f"plugin:{name}", ids, reason, bool(runner.quarantined), said))
        # After the post: writing gives up the interpreter's lock, and the room waits for the news.
        log.warning("plugin failed", plugin=name, reason=reason, quarantined=runner.quarantined)
