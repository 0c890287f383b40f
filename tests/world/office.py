"""A service that looks after rooms: real rooms' rows through the real ingest into a real store."""

import hashlib
import http.client
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from flask.testing import FlaskClient

from cloud_bridge.admin import passwords
from cloud_bridge.admin.facts import ImageFile, Part
from cloud_bridge.admin.follow import Follower
from cloud_bridge.admin.pages import create_admin
from cloud_bridge.admin.site import Options, Ports
from cloud_bridge.ingest import read_event, read_presence, read_wanted
from cloud_bridge.plan import plan
from cloud_bridge.store import (
    EventStore,
    LookStore,
    MachineStore,
    RecordStore,
    Store,
    UsageStore,
    UserStore,
)
from cloud_bridge.store.events import Batch, DeadLetter
from cloud_bridge.store.users import User
from cloud_bridge.types import Ask, Attempt, Capacity, Lapse, Plan, Records, Template
from edge.contracts.base import Now, machine_key
from edge.contracts.signals import MachineChanged, Meeting, Signal
from edge.contracts.wire import (
    MachinePhase,
    MachineReport,
    MachinesMessage,
    PresenceMessage,
    WantedMachine,
    WantedMessage,
)
from edge.process.web.pulse import Pulse
from edge.process.web.server import WebServer
from edge.uplink.events import encode_event
from tests.world.room import EPOCH, SETTINGS, Room

THEME = Path(__file__).parents[2] / "config" / "theme"
PASSWORD = "quiet-corridor-7"
WELL = (Part("ingest", "ok", "", 0.0), Part("reconciler", "ok", "", 0.0))


@dataclass(frozen=True, slots=True)
class _Row:
    seq: int
    kind: str
    id: str
    now: Now
    body: bytes | None
    hash: bytes


class Tenant:
    """One room of the service: what it decides is sent as its uplink would."""

    def __init__(self, office: "Office", name: str) -> None:
        self.office = office
        self.name = name
        self.room = Room(replace(SETTINGS, room=name), wall=office.wall)
        self.sequence = self._sent = 0
        self.journal = "j1"
        self.version = 0
        self.reports: dict[str, MachineReport] = {}

    def online(self, online: bool = True) -> "Tenant":
        told = PresenceMessage(self.name, online, self.office.wall, "0.1.0")
        self.office.keep(presences=[read_presence(self.name, msgspec.json.encode(told))])
        return self

    def say(self, *signals: Signal) -> "Tenant":
        for signal in signals:
            self.room.mono += 1.5
            self.room.wall = self.office.wall
            self.room.say(signal)
        return self.send()

    def calendar(self, *meetings: Meeting) -> "Tenant":
        self.room.wall = self.office.wall
        self.room.calendar(*meetings)
        return self.send()

    def send(self) -> "Tenant":
        """Send what was not sent yet."""
        rows = []
        pairs = zip(self.room.said, self.room.outcomes, strict=True)
        for (signal, ident, now), outcome in list(pairs)[self._sent :]:
            rows.append(self._row("signal", ident, now, msgspec.json.encode(signal)))
            if outcome.decision is not None:
                body = msgspec.json.encode(outcome.decision)
                rows.append(self._row("decision", f"{ident}.d", now, body))
        self._sent = len(self.room.said)
        self.office.keep(rows=[read_event(self.name, row) for row in rows])
        return self

    def new_journal(self, name: str) -> "Tenant":
        """From now on the room writes another journal, which counts from one."""
        self.journal, self.sequence = name, 0
        return self

    def _row(self, kind: str, ident: str, now: Now, body: bytes) -> bytes:
        self.sequence += 1
        digest = hashlib.sha256(body).digest()
        return encode_event(
            self.name, self.journal, _Row(self.sequence, kind, ident, now, body, digest), True
        )

    def want(self, *meetings: Meeting, template: str = "demo-small") -> "Tenant":
        self.version += 1
        rows = tuple(
            WantedMachine(key_of(one), one.key, template, one.start, one.end, one.title)
            for one in meetings
        )
        told = WantedMessage(self.name, self.version, self.office.wall, rows)
        snapshot = read_wanted(self.name, msgspec.json.encode(told))
        self.office.keep(snapshots=[snapshot])
        return self

    def machine(self, one: Meeting, phase: MachinePhase, detail: str = "") -> "Tenant":
        """Report a machine's phase, as the reconciler does, to the store and to the room."""
        address = "192.0.2.17:22" if phase == "ready" else ""
        key = key_of(one)
        self.reports[key] = MachineReport(
            key, one.key, "demo-small", phase, self.office.wall, address, one.end, detail
        )
        told = tuple(self.reports.values())
        self.office.machines.set_report(MachinesMessage(self.name, self.office.wall, told))
        return self.say(MachineChanged("service", told))


def key_of(one: Meeting) -> str:
    return machine_key("example", one.uid, one.recurrence_id)


class Office:
    """The admin page over its own store, with a clock that tests turn."""

    def __init__(self, folder: Path, options: Options | None = None, url: str = "") -> None:
        self.wall, self.mono = EPOCH, 5000.0
        self.url = url or f"sqlite:///{folder / 'cloud.db'}"
        self.store = Store(self.url)
        self.events, self.looks = EventStore(self.store), LookStore(self.store)
        self.machines, self.users = MachineStore(self.store), UserStore(self.store)
        self.records = RecordStore(self.store)
        self.pulse = Pulse()
        self.parts = WELL
        self.images: tuple[ImageFile, ...] = ()
        self.follower = Follower(
            self.looks,
            self.machines,
            self.records,
            self.pulse,
            lambda: self.parts,
            self.time,
            self.clock,
            lambda: self.images,
            UsageStore(self.store).usage,
        )
        zone = ZoneInfo("Europe/Berlin")
        ports = Ports(
            lambda: self.follower.facts, self.looks, self.machines, self.records, self.users,
            self.pulse, self.time, self.clock,
        )  # fmt: skip
        self.app = create_admin(ports, options or Options(zone=zone), THEME)
        self.tenants: dict[str, Tenant] = {}
        self.server: WebServer | None = None

    def __enter__(self) -> "Office":
        return self

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self.server.stop()
            self.follower.stop()
        self.store.close()

    def time(self) -> float:
        return self.wall

    def clock(self) -> float:
        return self.mono

    def serve(self, port: int = 0) -> "Office":
        self.server = WebServer("admin", "127.0.0.1", port, self.app, self.pulse)
        self.server.start()
        self.follower.start()
        return self

    @property
    def address(self) -> str:
        assert self.server is not None
        return "http://{}:{}".format(*self.server.address)

    def read(self) -> "Office":
        """Let the page take in what is stored."""
        self.mono += 3.0
        while self.follower.step():
            continue
        return self

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds

    def keep(self, **what: object) -> None:
        self.events.keep(Batch(**what), self.wall)  # type: ignore[arg-type]

    def letter(self, topic: str, reason: str, payload: bytes = b"{}") -> None:
        self.keep(dead=[DeadLetter(topic, reason, payload)])

    def tenant(self, name: str) -> Tenant:
        if name not in self.tenants:
            self.tenants[name] = Tenant(self, name)
        return self.tenants[name]

    def give_up(self, one: Meeting, reason: str) -> None:
        self.machines.set_attempt(Attempt(key_of(one), 5, self.wall, True, reason))

    def plan(self, *templates: Template) -> Plan:
        """Plan as the reconciler does, and write the questions down that the plan asks."""
        wanted = self.machines.wanted()
        records = Records(
            tuple(self.machines.attempts()),
            self.records.approvals(),
            self.records.boots(),
            self.records.heard({row.key for _, row in wanted.rows}, self.wall),
        )
        known = {template.name: template for template in templates}
        now = Now(self.wall, self.mono)
        planned = plan(wanted, (), records, known, Capacity(65_536, 2, gpus=1), now)
        for action in planned.actions:
            match action:
                case Ask():
                    self.records.ask(action, self.wall)
                case Lapse(key):
                    self.records.lapse(key, self.wall)
        return planned

    def admin(self, must_change: bool = False, role: str = "admin") -> None:
        hashed = passwords.hashed(PASSWORD)
        self.users.set(User("admin", hashed, role, must_change, self.wall))  # type: ignore[arg-type]

    def client(self) -> FlaskClient:
        return self.app.test_client()


Scene = Callable[[Office], None]


def health(port: int) -> int:
    """Return the status of a process's health page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()
