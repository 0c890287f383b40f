"""A real Nova, brought up for it: minutes and 1.4 GB, so only where it is asked for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from cloud_bridge.types import Machine, Template
from cloud_bridge.vms.base import Limits
from cloud_bridge.vms.openstack import Kind, OpenStackProvider
from cloud_bridge.vms.openstack_api import Cloud
from tests.cloud_bridge.vms.case import Case, Entry
from tests.world.openstack.contents import IMAGE
from tests.world.openstack.stack import Stack

ASKED = "ROOMKEEPER_OPENSTACK"
COMMAND = "make test-openstack"
KINDS = {
    "small": Kind(IMAGE, "meet.s", "none"),
    "large": Kind(IMAGE, "meet.l", "none"),
    "vast": Kind(IMAGE, "meet.vast", "none"),
    "missing": Kind("nothing", "meet.s", "none"),
    "shapeless": Kind(IMAGE, "nothing", "none"),
    "cut-off": Kind(IMAGE, "meet.s", "nothing"),
}
UNMADE = {
    Template("vast", 128): "No valid host",
    Template("missing", 128): "no image 'nothing'",
    Template("shapeless", 128): "no flavor 'nothing'",
    Template("cut-off", 128): "no network 'nothing'",
    Template("never-heard-of", 128): "no image",
    Template("small", 10**9): "make them equal",
}


def only_where_asked() -> None:
    """Skip unless a stack was asked for."""
    if os.environ.get(ASKED) != "1":
        pytest.skip(f"a real OpenStack is brought up by `{COMMAND}` alone")


def provider_at(
    stack: Stack, owner: str = "ours", limits: Limits | None = None, patience_s: float = 120.0
) -> OpenStackProvider:
    """Return a provider of the stack's project."""
    cloud = Cloud("meetings", stack.clouds, timeout_s=60)
    bounds = limits or Limits(memory_mib=512, boots=2)
    return OpenStackProvider(cloud, owner, KINDS, bounds, patience_s=patience_s)


def servers(stack: Stack, key: str) -> list:
    """Return the servers that bear a key, as the administrator sees them."""
    found = stack.admin.compute.servers(details=True, all_projects=True)
    return [each for each in found if each.metadata.get("roomkeeper.key") == key]


def runs(stack: Stack, machine: Machine) -> bool:
    """Return whether the host runs it: its guest is none that could answer."""
    return [each.status for each in servers(stack, machine.key)] == ["ACTIVE"]


def fail(stack: Stack, key: str) -> None:
    """Let Nova know a server as failed, as it does when its host lost it."""
    for each in servers(stack, key):
        stack.admin.compute.reset_server_state(each.id, "error")


@contextmanager
def stranger(stack: Stack) -> Iterator[str]:
    """Hold a server of the same project that says nothing of us."""
    keeper = stack.keeper
    made = keeper.compute.create_server(
        name="plain",
        image_id=keeper.image.find_image(IMAGE).id,
        flavor_id=keeper.compute.find_flavor("meet.s").id,
        networks="none",
    )
    try:
        yield "plain"
    finally:
        keeper.compute.delete_server(made.id)
        keeper.compute.wait_for_delete(made, wait=60)


@contextmanager
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """Yield the case of the stack that all of these tests share."""
    only_where_asked()
    stack: Stack = request.getfixturevalue("stack")
    yield Case(
        lambda owner: provider_at(stack, owner),
        partial(fail, stack),
        partial(stranger, stack),
        unmade=UNMADE,
        answers=partial(runs, stack),
        ten_lists_s=10.0,
    )


# Half a dozen services answer for each call: on a busy machine that takes its time.
ENTRIES = {"openstack": Entry(case, (pytest.mark.timeout(900),))}
