"""The service's processes: the only place where their parts meet."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from cloud_bridge.admin import AdminError, passwords
from cloud_bridge.admin.facts import ImageFile
from cloud_bridge.admin.follow import Follower
from cloud_bridge.admin.pages import create_admin
from cloud_bridge.admin.probe import probe
from cloud_bridge.admin.site import Options, Ports
from cloud_bridge.config import CloudConfig, TemplateSection, cloud_of, read_secret
from cloud_bridge.config_templates import changed_at
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
from cloud_bridge.types import Machine, Template
from cloud_bridge.vms import accel
from cloud_bridge.vms.base import Limits, Provider, VmError
from cloud_bridge.vms.checks import Check, Checks
from cloud_bridge.vms.clones import CloneProvider
from cloud_bridge.vms.clones.warm import Warmer
from cloud_bridge.vms.files import Files
from cloud_bridge.vms.guest.build import build
from cloud_bridge.vms.guest.kernel import KernelError
from cloud_bridge.vms.image import Image
from cloud_bridge.vms.libvirt import LibvirtProvider
from cloud_bridge.vms.pools import Pools
from edge.process.health import HealthServer
from edge.process.link import Broker, Link
from edge.process.web import WebError
from edge.process.web.pulse import Pulse
from edge.process.web.server import WebServer

__all__ = ["AdminProcess", "IngestProcess", "KernelError", "ReconcileProcess", "VmError"]

LOOPBACK = "127.0.0.1"


def broker_of(config: CloudConfig) -> Broker:
    """Return where the site's broker is."""
    section = config.broker
    password = read_secret(section.password_file)
    return Broker(
        section.host,
        section.port,
        section.username,
        password,
        section.ca,
        section.cert,
        section.key,
    )


def templates_of(config: CloudConfig) -> Mapping[str, Template]:
    """Return what machines may be made of."""
    return {
        name: Template(
            name,
            each.memory_mib,
            each.vcpus,
            each.lead_s,
            each.grace_s,
            each.boot_s,
            each.gpus,
            each.cost_per_hour,
            each.approve_above if each.approve_above >= 0 else float("inf"),
        )
        for name, each in config.templates.items()
    }


def image_of(section: TemplateSection) -> Image:
    """Return what a template boots."""
    return Image(
        Path(section.kernel),
        Path(section.initramfs),
        section.board,
        section.egress,
        section.append,
        Path(section.disk) if section.disk else None,
        section.disk_gib,
        section.own_loader,
        Path(section.user_data) if section.user_data else None,
        {str(kind): checksum for kind, checksum in section.checksums.items()},
        section.port,
        section.ready == "serial",
        section.gpu,
        section.priority,
        section.balloon,
        section.ksm,
        section.screen,
    )


def checks_of(config: CloudConfig) -> Checks:
    """Return how each template's machines are asked whether they are ready."""
    found = {name: Check(each.ready, each.ready_path) for name, each in config.templates.items()}
    return Checks(found, Files(Path(config.provider.files)))


def limits_of(config: CloudConfig) -> Limits:
    """Return what machines may take of this host."""
    section = config.provider
    return Limits(
        section.memory_mib,
        section.reserve_mib,
        section.boots,
        section.vcpus,
        section.gpus,
        section.per_organiser,
    )


def clones_of(config: CloudConfig) -> CloneProvider | None:
    """Return the provider of templates that are copied in memory, None when there are none."""
    chosen = {n: image_of(each) for n, each in config.templates.items() if each.provider == "clone"}
    if not chosen:
        return None
    folders = Path(config.clones.folder), Path(config.clones.memory)
    return CloneProvider(*folders, config.name, chosen, limits_of(config))


def provider_of(config: CloudConfig, clones: CloneProvider | None = None) -> Provider:
    """Return the configured provider, or several as one; it connects when it is first asked."""
    cloud = cloud_of(config.provider.uri)
    if cloud is not None:
        return _openstack(config, cloud)
    images = {name: image_of(each) for name, each in config.templates.items()}
    section = config.provider
    files = Path(section.files)
    host = LibvirtProvider(section.uri, config.name, images, limits_of(config), files=files)
    clones = clones or clones_of(config)
    if clones is None:
        return host
    served = {name: each.provider for name, each in config.templates.items()}
    return Pools({"libvirt": host, "clone": clones}, served)


def _openstack(config: CloudConfig, cloud: str) -> Provider:
    try:
        from cloud_bridge.vms.openstack import Kind, OpenStackProvider  # noqa: PLC0415 (an extra)
        from cloud_bridge.vms.openstack_api import Cloud  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise VmError(f"{config.provider.uri} needs roomkeeper[openstack]: {error}") from error
    kinds = {
        name: Kind(made.image, made.flavor, made.network, each.port, made.security_groups)
        for name, each in config.templates.items()
        if (made := each.openstack) is not None
    }
    place = Cloud(cloud, Path(config.provider.clouds))
    return OpenStackProvider(place, config.name, kinds, limits_of(config))


def images_of(config: CloudConfig) -> tuple[ImageFile, ...]:
    """Return how old each template's files are now."""
    if config.provider.uri.startswith("openstack:"):
        return ()  # they are the cloud's
    return tuple(
        ImageFile(name, changed_at(each), each.old_days) for name, each in config.templates.items()
    )


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


def machines(config: CloudConfig) -> list[tuple[Machine, bool]]:
    """Return every machine the provider lists, and whether its page answers."""
    provider, checks = provider_of(config), checks_of(config)
    try:
        return [(machine, machine.ours and checks.ready(machine)) for machine in provider.list()]
    finally:
        checks.close()
        provider.close()


def retry(config: CloudConfig, key: str) -> bool:
    """Let a given-up machine begin anew; return whether anything was known of it."""
    store = Store(config.store.url)
    try:
        return MachineStore(store).forget_attempts(key)
    finally:
        store.close()


def reset_password(config: CloudConfig) -> str:
    """Give the user admin a one-time password and return it."""
    store = Store(config.store.url)
    try:
        return passwords.reset_password(UserStore(store))
    finally:
        store.close()


def make_image(folder: Path) -> Path:
    """Build the small guest into `folder`."""
    return build(folder)


def missing_images(config: CloudConfig) -> list[str]:
    """Return the templates' files that do not exist; none are needed for an OpenStack's."""
    if cloud_of(config.provider.uri) is not None:
        return []
    found = (image_of(each).files().values() for each in config.templates.values())
    return sorted({str(path) for paths in found for path in paths if not path.is_file()})


def how_guests_run() -> str:
    """Return how this host runs guests, in words; "" without QEMU."""
    emulator = shutil.which("qemu-system-x86_64")
    if emulator is None:
        return ""
    kind = accel.best(emulator)
    return "KVM" if kind == "kvm" else f"emulation (TCG), counter at {accel.tsc_khz()} kHz"
