"""cloud.toml: what an operator decides, checked before the start; it is handed on as values."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

import msgspec
from msgspec import Meta

from cloud_bridge import config_openstack, config_templates
from cloud_bridge.config_openstack import cloud_of
from cloud_bridge.config_templates import TemplateSection
from edge.contracts.base import StrictMessage
from edge.process.toml import ConfigError, absent, read, read_secret

__all__ = [
    "CloudConfig",
    "ConfigError",
    "TemplateSection",
    "cloud_of",
    "load_cloud",
    "read_secret",
]

Keys = tuple[str | int, ...]

Identifier = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9_-]{0,63}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=500)]
Port = Annotated[int, Meta(ge=1, le=65535)]


class _Section(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """A table of the file: an unknown key is an error."""


class BrokerSection(_Section, frozen=True):
    """The site's MQTT 5 broker; ca, cert, key and password_file are files."""

    host: Name = "127.0.0.1"
    port: Port = 1883
    username: str = ""
    password_file: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""


class StoreSection(_Section, frozen=True):
    """Where the service keeps what it must not forget: a file, or a SQLAlchemy URL."""

    url: Name = "cloud.db"


class ProviderSection(_Section, frozen=True):
    """What runs the machines. 0 for memory_mib and boots: what the host, or the quota, has.

    vcpus, per_organiser: 0 for any number; clouds: OpenStack's clouds.yaml, "" for the usual one.
    """

    uri: Name = "qemu:///embed?root=machines"
    clouds: str = ""
    memory_mib: Annotated[int, Meta(ge=0, le=16_777_216)] = 0
    reserve_mib: Annotated[int, Meta(ge=0, le=1_048_576)] = 1024
    boots: Annotated[int, Meta(ge=0, le=256)] = 0
    vcpus: Annotated[int, Meta(ge=0, le=65536)] = 0
    gpus: Annotated[int, Meta(ge=0, le=64)] = 0
    per_organiser: Annotated[int, Meta(ge=0, le=1000)] = 0
    files: Name = "machine-files"


class ClonesSection(_Section, frozen=True):
    """Machines copied in memory. Folders: of their records and sockets; of what is copied."""

    folder: Name = "clones"
    memory: Name = "/dev/shm"  # noqa: S108 (memory that is a folder is what it is for)


class AdminSection(_Section, frozen=True):
    """The page for those who look after the rooms. theme is the folder of the design system."""

    host: Name = "127.0.0.1"
    port: Port = 8090
    hosts: tuple[Name, ...] = ()
    tls_proxy: bool = False
    session_hours: Annotated[float, Meta(ge=0.1, le=720.0)] = 12.0
    time_zone: Name = "UTC"
    theme: Name = "theme"
    streams: Annotated[int, Meta(ge=1, le=64)] = 8


class DoorSection(_Section, frozen=True):
    """The door for those who meet. novnc: the folder of noVNC, "" where there are no screens."""

    host: Name = "127.0.0.1"
    port: Port = 8091
    hosts: tuple[Name, ...] = ()
    tls_proxy: bool = False
    novnc: str = ""


class HealthSection(_Section, frozen=True):
    """Loopback ports of the health pages of each process."""

    ingest_port: Port = 9101
    reconcile_port: Port = 9102
    admin_port: Port = 9103
    door_port: Port = 9104


class LogSection(_Section, frozen=True):
    """How much is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class CloudConfig(_Section, frozen=True):
    """The whole file. Paths and the SQLite URL are absolute once loaded."""

    name: Identifier = "site"
    guest: Name = "guest"
    broker: BrokerSection = BrokerSection()
    store: StoreSection = StoreSection()
    provider: ProviderSection = ProviderSection()
    clones: ClonesSection = ClonesSection()
    templates: dict[Identifier, TemplateSection] = msgspec.field(default_factory=dict)
    admin: AdminSection = AdminSection()
    door: DoorSection = DoorSection()
    health: HealthSection = HealthSection()
    log: LogSection = LogSection()


def load_cloud(path: Path) -> CloudConfig:
    """Return the service's settings; raise ConfigError naming file, key, value, what is allowed."""
    document = read(path)
    config = document.convert(CloudConfig)
    for keys, allowed in _mistakes(config):
        raise document.wrong(keys, allowed)
    folder = path.resolve().parent
    for keys, file in _files(config):
        allowed = absent(folder / file) if file else ""
        if allowed:
            raise document.wrong(keys, allowed)
    config = _absolute(config, folder)
    read_secret(config.broker.password_file)
    return config


def _mistakes(config: CloudConfig) -> Iterator[tuple[Keys, str]]:
    """Yield (keys, what is allowed) for what the types alone let pass."""
    for keys, path in (*_files(config), *_places(config)):
        if "\0" in path:
            yield keys, "a path without the character U+0000"
    broker = config.broker
    if bool(broker.cert) != bool(broker.key):
        missing = "cert" if broker.key else "key"
        yield ("broker", missing), "cert and key together, or neither"
    if not config.templates:
        yield ("templates",), "at least one [templates.NAME] table"
    for name, template in config.templates.items():
        for key, allowed in config_templates.mistakes(template):
            yield ("templates", name, key), allowed
    made_of = {name: each.openstack for name, each in config.templates.items()}
    yield from config_openstack.mistakes(config.provider.uri, made_of)
    if cloud_of(config.provider.uri) is not None:
        for name, template in config.templates.items():
            if template.egress:
                yield ("templates", name, "egress"), "[]: in OpenStack security_groups say it"
            if template.provider == "clone":
                yield ("templates", name, "provider"), "libvirt, as [provider] uri is an OpenStack"
            if template.ready == "serial":
                yield ("templates", name, "ready"), "page, http or tcp in OpenStack"
    yield from _ports(config)
    if config.admin.time_zone not in available_timezones():
        yield ("admin", "time_zone"), "a name of the time zone database, such as Europe/Berlin"


def _ports(config: CloudConfig) -> Iterator[tuple[Keys, str]]:
    health = config.health
    if health.ingest_port == health.reconcile_port:
        yield ("health", "reconcile_port"), "another port than ingest_port"
    if health.admin_port in (health.ingest_port, health.reconcile_port):
        yield ("health", "admin_port"), "another port than ingest_port and reconcile_port"
    if config.admin.port in (health.ingest_port, health.reconcile_port, health.admin_port):
        yield ("admin", "port"), "another port than those of [health]"
    if health.door_port in (health.ingest_port, health.reconcile_port, health.admin_port):
        yield ("health", "door_port"), "another port than those of the other processes"
    if config.door.port in (config.admin.port, *msgspec.structs.astuple(health)):
        yield ("door", "port"), "another port than those of [admin] and [health]"


def _files(config: CloudConfig) -> Iterator[tuple[Keys, str]]:
    for key in ("ca", "cert", "key", "password_file"):
        yield ("broker", key), getattr(config.broker, key)
    for name, template in config.templates.items():
        for key, file in config_templates.files(template):
            yield ("templates", name, key), file


def _places(config: CloudConfig) -> Iterator[tuple[Keys, str]]:
    """Yield (keys, path) of what need not be there yet."""
    yield ("guest",), config.guest
    yield ("store", "url"), config.store.url
    for key in ("uri", "clouds", "files"):
        yield ("provider", key), getattr(config.provider, key)
    for key in ("folder", "memory"):
        yield ("clones", key), getattr(config.clones, key)
    yield ("admin", "theme"), config.admin.theme
    yield ("door", "novnc"), config.door.novnc


def _absolute(config: CloudConfig, folder: Path) -> CloudConfig:
    def file(text: str) -> str:
        return os.path.realpath(folder / text) if text else ""

    broker = msgspec.structs.replace(
        config.broker,
        ca=file(config.broker.ca),
        cert=file(config.broker.cert),
        key=file(config.broker.key),
        password_file=file(config.broker.password_file),
    )
    guest = (folder / config.guest).resolve()
    templates = {
        name: config_templates.absolute(template, folder, guest)
        for name, template in config.templates.items()
    }
    url = config.store.url
    if "://" not in url:
        url = f"sqlite:///{file(url)}"
    uri = config.provider.uri
    clouds = config.provider.clouds
    if cloud_of(uri) is not None:
        clouds = str(config_openstack.clouds_file(clouds, folder))
    prefix = "qemu:///embed?root="
    if uri.startswith(prefix):
        uri = prefix + file(uri.removeprefix(prefix))
    return msgspec.structs.replace(
        config,
        guest=str(guest),
        broker=broker,
        templates=templates,
        store=StoreSection(url),
        clones=ClonesSection(file(config.clones.folder), file(config.clones.memory)),
        admin=msgspec.structs.replace(config.admin, theme=file(config.admin.theme)),
        door=msgspec.structs.replace(config.door, novnc=file(config.door.novnc)),
        provider=msgspec.structs.replace(
            config.provider, uri=uri, clouds=clouds, files=file(config.provider.files)
        ),
    )
