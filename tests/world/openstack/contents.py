"""What is in the cloud before the first test: services, a project with a member, things to boot."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack

from tests.world.openstack.settings import REGION, Settings

TYPES = {"placement": "placement", "image": "glance", "network": "neutron", "compute": "nova"}
FLAVORS = {
    "meet.s": {"ram": 128, "vcpus": 1, "disk": 1},
    "meet.l": {"ram": 512, "vcpus": 2, "disk": 1},
    # More disk than any host has.
    "meet.vast": {"ram": 128, "vcpus": 1, "disk": 9_000_000},
}
IMAGE, NETWORK = "guest", "rooms"


@dataclass
class Contents:
    """Connections of the administrator and of the project's member; the id of the project."""

    admin: Any
    keeper: Any
    project: str


def write_clouds(settings: Settings, file: Path) -> None:
    """Write clouds.yaml, which only its owner can read; JSON is YAML."""
    clouds = {
        name: {
            "region_name": REGION,
            "auth": {
                "auth_url": settings.url("keystone"),
                "username": user,
                "password": settings.password,
                "project_name": name,
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
        }
        for name, user in (("admin", "admin"), ("meetings", "keeper"))
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps({"clouds": clouds}))
    os.chmod(file, 0o600)


def connect(file: Path, cloud: str) -> Any:
    """Return a connection, from this file alone."""
    loader = openstack.config.OpenStackConfig(config_files=[str(file)], load_envvars=False)
    made = openstack.connection.Connection(config=loader.get_one(cloud=cloud, api_timeout=60))
    made.compute.default_microversion = "2.69"
    return made


def fill(settings: Settings, clouds: Path, start: Callable[[], None]) -> Contents:
    """Name the services in Keystone, `start` them, and put in what servers are made of."""
    write_clouds(settings, clouds)
    admin = connect(clouds, "admin")
    for kind, part in TYPES.items():
        service = admin.identity.create_service(name=part, type=kind)
        for door in ("public", "internal"):
            admin.identity.create_endpoint(
                service_id=service.id, interface=door, url=settings.url(part), region_id=REGION
            )
    domain = admin.identity.find_domain("Default").id
    project = admin.identity.create_project(name="meetings", domain_id=domain)
    user = admin.identity.create_user(name="keeper", domain_id=domain, password=settings.password)
    member = admin.identity.find_role("member")
    admin.identity.assign_project_role_to_user(project, user, member)
    start()
    # A new connection: the first one's token knows a catalog without these.
    admin = connect(clouds, "admin")
    admin.image.create_image(
        name=IMAGE,
        data=b"\0" * 2**20,
        disk_format="raw",
        container_format="bare",
        visibility="public",
    )
    for name, size in FLAVORS.items():
        admin.compute.create_flavor(name=name, **size)
    keeper = connect(clouds, "meetings")
    network = keeper.network.create_network(name=NETWORK)
    keeper.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.77.0.0/24")
    _host_is_known(admin)
    return Contents(admin, keeper, project.id)


def _host_is_known(admin: Any) -> None:
    """Wait until the compute host is up and the scheduler knows what it has."""
    deadline = time.monotonic() + 120
    while not any(
        each.state == "up" and each.binary == "nova-compute" for each in admin.compute.services()
    ) or not list(admin.compute.hypervisors()):
        if time.monotonic() > deadline:
            raise RuntimeError("nova-compute does not report within 120 s")
        time.sleep(0.2)
