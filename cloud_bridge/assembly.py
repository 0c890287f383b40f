"""From what is configured to the parts that do it."""

from collections.abc import Mapping
from pathlib import Path

from cloud_bridge.admin.facts import ImageFile
from cloud_bridge.config import CloudConfig, TemplateSection, cloud_of, read_secret
from cloud_bridge.config_templates import changed_at
from cloud_bridge.types import Template
from cloud_bridge.vms.base import Limits, Provider, VmError
from cloud_bridge.vms.checks import Check, Checks
from cloud_bridge.vms.clones import CloneProvider
from cloud_bridge.vms.files import Files
from cloud_bridge.vms.image import Image
from cloud_bridge.vms.libvirt import LibvirtProvider
from cloud_bridge.vms.pools import Pools
from edge.process.link import Broker


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


def missing_images(config: CloudConfig) -> list[str]:
    """Return the templates' files that do not exist; none are needed for an OpenStack's."""
    if cloud_of(config.provider.uri) is not None:
        return []
    found = (image_of(each).files().values() for each in config.templates.values())
    return sorted({str(path) for paths in found for path in paths if not path.is_file()})
