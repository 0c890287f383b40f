"""The service's processes: the only place where their parts meet."""

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from cloud_bridge.admin import AdminError, passwords
from cloud_bridge.admin.follow import Follower
from cloud_bridge.admin.pages import create_admin
from cloud_bridge.admin.probe import probe
from cloud_bridge.admin.site import Options, Ports
from cloud_bridge.assembly import (
    broker_of,
    checks_of,
    clones_of,
    images_of,
    provider_of,
    templates_of,
)
from cloud_bridge.config import CloudConfig
from cloud_bridge.door import DoorError
from cloud_bridge.door.front import create_door
from cloud_bridge.door.server import DoorServer
from cloud_bridge.door.site import Options as DoorOptions
from cloud_bridge.door.site import Site as DoorSite
from cloud_bridge.ingest import Ingest
from cloud_bridge.reconcile import Reconciler
from cloud_bridge.reconcile.clock import Clock
from cloud_bridge.reconcile.usage import Sampler
from cloud_bridge.store import (
    DoorStore,
    EventStore,
    LookStore,
    MachineStore,
    RecordStore,
    Store,
    StoreError,
    UsageStore,
    UserStore,
)
from cloud_bridge.vms.clones.warm import Warmer
from edge.process.health import HealthServer
from edge.process.link import Link
from edge.process.web import WebError
from edge.process.web.pulse import Pulse
from edge.process.web.server import WebServer

LOOPBACK = "127.0.0.1"


class AdminProcess:
    """`roomkeeper-cloud admin`; at its first start it prints a one-time password, once."""

    def __init__(self, config: CloudConfig) -> None:
        section = config.admin
        self._store = Store(config.store.url)
        users, looks = UserStore(self._store), LookStore(self._store)
        machines, records = MachineStore(self._store), RecordStore(self._store)
        pulse = Pulse()
        ports = {"ingest": config.health.ingest_port, "reconciler": config.health.reconcile_port}
        usage = UsageStore(self._store).usage
        self._follower = Follower(
            looks,
            machines,
            records,
            pulse,
            lambda: probe(ports),
            images=lambda: images_of(config),
            usage=usage,
        )
        options = Options(
            hosts=tuple({*Options().hosts, section.host, *section.hosts}),
            zone=ZoneInfo(section.time_zone),
            hours=section.session_hours,
            tls=section.tls_proxy,
            streams=section.streams,
        )
        page = create_admin(
            Ports(lambda: self._follower.facts, looks, machines, records, users, pulse),
            options,
            Path(section.theme),
        )
        try:
            self._server = WebServer(
                "admin", section.host, section.port, page, pulse, section.streams
            )
        except WebError as error:
            raise AdminError(str(error)) from error
        self._health = HealthServer(LOOPBACK, config.health.admin_port, self._follower.status)
        password = passwords.first_password(users)
        if password:
            told = f"admin page: user {passwords.FIRST_USER}, one-time password {password}\n"
            sys.stderr.write(told)
            sys.stderr.flush()

    def start(self) -> None:
        """Begin to follow the store and to serve."""
        self._health.start()
        self._follower.start()
        self._server.start()

    def replaced(self) -> bool:
        """Return whether the database was wiped or put back."""
        return self._store.replaced()

    def stop(self) -> None:
        """End every stream and the server."""
        self._server.stop()
        self._follower.stop()
        self._health.stop()
        self._store.close()


class DoorProcess:
    """`roomkeeper-cloud door`: guests' pages and screens, for whoever has a code."""

    def __init__(self, config: CloudConfig) -> None:
        section = config.door
        self._store = Store(config.store.url)
        novnc = Path(section.novnc) if section.novnc else None
        if novnc is not None and not (novnc / "core" / "rfb.js").is_file():
            raise DoorError(f'door: no noVNC in {novnc} (core/rfb.js): install it, or novnc = ""')
        options = DoorOptions(
            hosts=tuple({*DoorOptions().hosts, section.host, *section.hosts}),
            zone=ZoneInfo(config.admin.time_zone),
            tls=section.tls_proxy,
            novnc=novnc,
        )
        self._site = DoorSite(DoorStore(self._store), options, Path(config.admin.theme))
        self._server = DoorServer(section.host, section.port, lambda: create_door(self._site))
        self._health = HealthServer(LOOPBACK, config.health.door_port, self._status)

    def start(self) -> None:
        """Begin to let people in."""
        self._health.start()
        self._server.start()

    def stop(self) -> None:
        """End every visit's page and screen; visits go on at the next start."""
        self._server.stop()
        self._health.stop()
        self._store.close()

    def replaced(self) -> bool:
        """Return whether its database was wiped or put back under it."""
        return self._store.replaced()

    def _status(self) -> dict[str, object]:
        try:
            self._store.ping()
        except StoreError as error:
            return {"ok": False, "trouble": str(error)}
        return {"ok": True, "trouble": ""}


class IngestProcess:
    """`roomkeeper-cloud ingest`."""

    def __init__(self, config: CloudConfig) -> None:
        self._store = Store(config.store.url)
        self._link = Link(f"{config.name}-ingest", broker_of(config))
        self._ingest = Ingest(self._link, EventStore(self._store))
        self._health = HealthServer(LOOPBACK, config.health.ingest_port, self._ingest.status)

    def start(self) -> None:
        """Begin to listen, store and acknowledge."""
        self._health.start()
        self._ingest.start()
        self._link.start()

    def replaced(self) -> bool:
        """Return whether the database was wiped or put back."""
        return self._store.replaced()

    def stop(self) -> None:
        """Store what was heard, and end."""
        self._link.stop()
        self._ingest.stop()
        self._health.stop()
        self._store.close()


class ReconcileProcess:
    """`roomkeeper-cloud reconcile`; `instance` tells it from others on the same database."""

    def __init__(self, config: CloudConfig, instance: str = "", health_port: int = 0) -> None:
        self._config = config
        self._store = Store(config.store.url)
        name = f"{config.name}-reconcile{f'-{instance}' if instance else ''}"
        self._link = Link(name, broker_of(config))
        clones = clones_of(config)
        self._provider = provider_of(config, clones)
        sizes = {n: (each.memory_mib, each.vcpus) for n, each in templates_of(config).items()}
        self._warmer = None if clones is None else Warmer(clones, sizes)
        self._checks = checks_of(config)
        self._reconciler = Reconciler(
            name,
            self._provider,
            MachineStore(self._store),
            RecordStore(self._store),
            self._link,
            templates_of(config),
            ready=self._checks.ready,
        )
        self._sampler = Sampler(
            self._provider, UsageStore(self._store), templates_of(config), Clock().now
        )
        port = health_port or config.health.reconcile_port
        self._health = HealthServer(LOOPBACK, port, self._reconciler.status)

    def start(self) -> None:
        """Begin to compare what is wanted with what there is."""
        self._health.start()
        self._link.start()
        self._reconciler.start()
        self._sampler.start()
        if self._warmer is not None:
            self._warmer.start()

    def replaced(self) -> bool:
        """Return whether the database was wiped or put back."""
        return self._store.replaced()

    def stop(self) -> None:
        """End; machines go on."""
        self._sampler.stop()
        self._reconciler.stop()
        self._checks.close()
        self._link.stop()
        self._health.stop()
        self._store.close()
