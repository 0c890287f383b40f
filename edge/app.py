"""One room's process: the only place where its parts meet."""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec
import structlog

from edge.actuators.calendar import CalendarDriver
from edge.assembly import build_core, core_settings, find_plugins, plugin_rules
from edge.brokers import broker
from edge.config import RoomConfig, load_intents, load_policy, read_secret
from edge.contracts.base import Now
from edge.contracts.decision import Decision
from edge.contracts.plugin import PluginEvent
from edge.contracts.signals import CalendarWritten, Health, Signal, SourceChanged
from edge.decide.core import CoreState
from edge.decide.events import Call
from edge.decide.step import Core
from edge.drivers import Drivers
from edge.face import Face
from edge.house import House, house_will
from edge.inbox import Inbox
from edge.journal import AbsentJournal, Journal, JournalError, JournalUnusableError, Row
from edge.loop import Loop
from edge.plugins.host import PluginCall, PluginHost
from edge.plugins.install import InstalledPlugin
from edge.process.dav import DavAccount
from edge.process.health import HealthServer
from edge.process.link import Link
from edge.process.reporter import HealthReporter
from edge.replay import encode_boot, restore
from edge.senses import Senses
from edge.signals.calendar import CalendarSettings, CalendarSource
from edge.signals.steady import SteadyClock, system_clock
from edge.steps import Ports
from edge.uplink.uplink import Uplink, presence_will

log = structlog.get_logger()

SNAPSHOT_EVERY = 500
LOOP_SILENT_S = 60.0
WRITTEN = 1_767_225_600.0
"""2026-01-01: this software was not there before, a clock that says so is wrong."""


class Part(Protocol):
    """Anything that runs."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End within a second."""
        ...


class Appliance:
    """A room from its configuration: `start`, `stop`, `status`, and the state between."""

    def __init__(
        self,
        config: RoomConfig,
        clock: Callable[[], Now] = system_clock,
        anew: Callable[[], None] = lambda: None,
    ) -> None:
        """`anew` is called when the process should end, because its next start has a journal."""
        self._config = config
        self._clock = clock = SteadyClock(clock)
        self._since_snapshot = 0
        self._rules = 0
        self.health: HealthServer | None = None
        self.inbox = Inbox(lambda: clock().mono)
        self.journal = _journal(Path(config.journal.path), self.inbox.post, anew)
        self._found = find_plugins(config)
        self._taking_over: deque[InstalledPlugin] = deque()
        self._refused = list(self._found.refused)
        intents = load_intents(Path(config.intents.file), config)
        policy = load_policy(Path(config.policy.file))
        self.settings = core_settings(config, intents, policy, self._found.runnable)
        core = build_core(self.settings)
        if core.policy.broken:
            self._refused.append(("policy", core.policy.broken))
        self._wire()
        state = self._restored(core)
        self.loop = Loop(core, state, self.inbox, self._ports(), clock)
        self.face = Face(config, self.settings, lambda: self.loop.state, self.inbox.post, clock)

    def _wire(self) -> None:
        config, post = self._config, self.inbox.post
        room = config.room.id
        self.site = Link(f"room-{room}", broker(config.site), will=presence_will(room))
        self.devices = Link(f"devices-{room}", broker(config.broker), will=house_will(config))
        self._devices_health = HealthReporter("broker:room", self._post)
        self.devices.when_health(self._devices_changed)
        self.devices.when_reading(self._gathering)
        self.uplink = Uplink(
            room,
            self.site,
            self.journal,
            post,
            share_titles=config.room.share_titles,
            version=version("roomkeeper"),
        )
        self.plugins = PluginHost(
            self._found.runnable,
            self._answer,
            enabled=config.plugins.enabled,
            cache=self._found.cache,
            shelf=self._found.shelf,
            changing=self._taking_over.append,
        )
        self.drivers = Drivers(
            config, self.devices, self._post, self.uplink.wanted, wall=lambda: self._clock().wall
        )
        account = DavAccount(
            config.calendar.url,
            config.calendar.username,
            read_secret(config.calendar.password_file),
        )
        zone = ZoneInfo(config.room.timezone)
        self.calendar = CalendarSource(
            CalendarSettings(
                account,
                zone,
                attendee=config.calendar.attendee,
                poll_s=config.calendar.poll_s,
                near_s=config.calendar.near_poll_s,
            ),
            post,
        )
        self.writer = CalendarDriver(
            account, self._calendar_written, zone=zone, attendee=config.calendar.attendee
        )
        self.senses = Senses(
            config,
            self.devices,
            post,
            self._clock,
            lambda: self.loop.state.room,
            self._newest_known(),
            self._offer,
        )

        self.house = House(config, self.devices, lambda: self.loop.state, post, self._clock)

    @property
    def _parts(self) -> Sequence[Part]:
        """In the order of their start; they stop in reverse."""
        return (
            self.journal,
            self.plugins,
            self.drivers,
            self.writer,
            self.uplink,
            self.devices,
            self.site,
            self.calendar,
            self.senses,
            self.house,
            self.face,
        )

    def start(self) -> None:
        """Start every part; what is away is reported as a degraded source, never raised."""
        config_hash = hashlib.sha256(msgspec.json.encode(self.settings)).hexdigest()
        now = self._clock()
        boot = encode_boot(self.settings, self.loop.state)
        self.journal.append([Row("boot", f"{self.settings.room}-{self.journal.boot}", now, boot)])
        versions = self.loop.state.plugin_state_version
        for source, state in self.loop.state.plugin_state.items():
            self.plugins.restore(source.removeprefix("plugin:"), state, versions.get(source, 1))
        # First of all: what is decided before the clock is trusted sends the room to rest.
        self.senses.clock.check()
        for source, reason in (*self._refused, *self.senses.refused, *self.face.refused):
            self.inbox.post(SourceChanged(source, "lost", reason, 1))
        self.loop.start(self.journal.boot, config_hash)
        self.journal.when_committed(self.uplink.poke)
        for part in self._parts:
            part.start()
        self.health = HealthServer(self._config.health.host, self._config.health.port, self.status)
        self.health.start()
        log.info(
            "started",
            room=self.settings.room,
            boot=self.journal.boot,
            port=self.health.port,
            panel=self.face.address,
        )

    def stop(self) -> None:
        """Stop every part, the sources first, the journal last; within two seconds together."""
        # Daemons: a part that hangs in a driver's call must not hold up the process's end.
        stoppers = [
            threading.Thread(target=part.stop, name="stopping", daemon=True)
            for part in (*self._parts, *([self.health] if self.health else []))
            if part is not self.journal
        ]
        for stopper in stoppers:
            stopper.start()
        self.loop.stop()
        deadline = time.monotonic() + 1.0
        for stopper in stoppers:
            stopper.join(max(0.0, deadline - time.monotonic()))
        self.journal.stop()
        log.info("stopped", room=self.settings.room)

    def status(self) -> dict[str, object]:
        """Return what /healthz says: ok, and every source that is not."""
        room = self.loop.state.room
        silent = self._clock().mono - self.loop.beat
        return {
            "ok": silent < LOOP_SILENT_S and not self.journal.failing,
            "room": self.settings.room,
            "boot": self.journal.boot,
            "journal_failing": self.journal.failing,
            "loop_silent_s": round(silent, 1),
            "unhealthy": {
                name: f"{source.health}: {source.reason}"
                for name, source in room.sources.items()
                if source.health != "ok"
            },
        }

    def _ports(self) -> Ports:
        return Ports(
            record=self._record,
            call=self._call,
            command=self.drivers.apply,
            write=self.writer.submit,
            wanted=self.drivers.snapshot,
            watch=self._watch,
        )

    def _watch(self, signal: Signal, decision: Decision | None, state: CoreState) -> None:
        self.senses.watch(signal, decision, state)
        self.face.watch(decision)
        self.house.watch(signal, decision)
        if isinstance(signal, SourceChanged) and self._taking_over:
            self._new_rules()

    def _new_rules(self) -> None:
        """Decide by the manifests of the plugins that took over: to replay, another start."""
        while self._taking_over:
            rules = plugin_rules(self._config, [self._taking_over.popleft()])
            self.settings = replace(self.settings, plugins={**self.settings.plugins, **rules})
        self._rules += 1
        ident = f"{self.settings.room}-{self.journal.boot}.{self._rules}"
        boot = encode_boot(self.settings, self.loop.state)
        self.journal.append([Row("boot", ident, self._clock(), boot)])
        self.loop.steps.core = build_core(self.settings)

    def _record(
        self,
        rows: Sequence[tuple[str, str, Now, bytes]],
        release: Callable[[], None] | None,
        more: bool,
    ) -> None:
        seq = self.journal.append([Row(*row) for row in rows], release, more=more)
        self._since_snapshot += len(rows)
        if self._since_snapshot >= SNAPSHOT_EVERY and seq:
            self._since_snapshot = 0
            self.journal.snapshot(seq, msgspec.json.encode(self.loop.state))

    def _call(self, calls: Sequence[Call], now: Now, seed: int) -> None:
        events: dict[str, list[PluginEvent]] = {}
        for call in calls:
            events.setdefault(call.plugin, []).append(call.event)
        for source, heard in events.items():
            name = source.removeprefix("plugin:")
            self.plugins.submit(PluginCall(name, tuple(heard), now.wall, seed))

    def _post(self, signal: Signal) -> None:
        self.loop.post(signal)

    def _offer(self, signal: Signal) -> None:
        self.loop.offer(signal)

    def _answer(self, signal: Signal) -> None:
        """Take what a plugin brings through its step, and make it durable, on its own thread.

        Other plugins do not wait for the disk meanwhile.
        """
        if self.plugins.idle:
            self.loop.offer(signal, self.journal.writing())
        else:
            self.loop.offer(signal)

    def _gathering(self) -> AbstractContextManager[None]:
        return self.loop.gathering()

    def _calendar_written(self, signal: Signal) -> None:
        self.inbox.post(signal)
        if isinstance(signal, CalendarWritten):
            self.calendar.poke()

    def _devices_changed(self, health: Health, reason: str) -> None:
        if health == "ok":
            self._devices_health.ok()
        else:
            self._devices_health.lost(reason)

    def _restored(self, core: Core) -> CoreState:
        """Return the latest snapshot and what was journaled after it, or a new state."""
        try:
            seq, body = self.journal.latest_snapshot() or (0, b"{}")
            state = msgspec.json.decode(body, type=CoreState)
            return restore(state, self.journal.read(seq), core)
        except (msgspec.MsgspecError, JournalError) as error:
            # Another version wrote it: the calendar and the sources tell the rest anew.
            log.warning("state not restored", reason=str(error))
            return CoreState()

    def _newest_known(self) -> float:
        """Return the latest instant that is past for certain: the software's, the journal's."""
        head = self.journal.head
        if not head:
            return WRITTEN
        return max((row.now.wall for row in self.journal.read(head - 1)), default=WRITTEN)


def _journal(
    path: Path, post: Callable[[Signal], None], anew: Callable[[], None]
) -> Journal | AbsentJournal:
    """Return the journal, or what stands in for one whose disk refuses."""
    health = HealthReporter("journal", post)
    try:
        return Journal(path, on_error=health.lost, on_well=health.ok)
    except JournalUnusableError as error:
        log.error("the room runs without a journal", problem=str(error))
        return AbsentJournal(path, str(error), on_error=health.lost, on_back=anew)
