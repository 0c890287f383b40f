"""The keys of cloud.toml that only OpenStack needs, and the file with its credentials."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edge.contracts.base import StrictMessage
from edge.process.toml import ConfigError

SCHEME = "openstack:"
USUAL = Path("~/.config/openstack/clouds.yaml")
CLOUDS_LIMIT = 64 * 1024

Name = Annotated[str, Meta(min_length=1, max_length=255)]


class OpenStackTemplate(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """What a template is made of in OpenStack, by name or id."""

    image: Name
    flavor: Name
    network: Name
    security_groups: tuple[Name, ...] = ()


def cloud_of(uri: str) -> str | None:
    """Return the cloud's name in a provider uri openstack:NAME, None for other providers."""
    return uri.removeprefix(SCHEME) if uri.startswith(SCHEME) else None


def mistakes(
    uri: str, templates: Mapping[str, OpenStackTemplate | None]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (keys, what is allowed) for what the types alone let pass."""
    cloud = cloud_of(uri)
    if cloud is None:
        return
    if not cloud:
        yield ("provider", "uri"), "openstack:NAME, a cloud of clouds.yaml"
    for name, template in templates.items():
        if template is None:
            yield (
                ("templates", name, "openstack"),
                "a table with image, flavor and network, as [provider] uri is an OpenStack",
            )


def clouds_file(path: str, folder: Path) -> Path:
    """Return the clouds.yaml to use, checked: only its owner can read it."""
    file = folder / path if path else USUAL.expanduser()
    try:
        found = file.stat()
    except OSError as error:
        raise ConfigError(
            f"{file}: OpenStack's credentials cannot be read: {error.strerror}"
        ) from error
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise ConfigError(
            f"{file}: others can read these credentials (mode {mode:04o}); run: chmod 600 {file}"
        )
    if found.st_uid not in (os.getuid(), 0):
        raise ConfigError(f"{file}: belongs to another user; run: chown {os.getuid()} {file}")
    if found.st_size > CLOUDS_LIMIT:
        raise ConfigError(f"{file}: longer than {CLOUDS_LIMIT} bytes")
    return file.resolve()
