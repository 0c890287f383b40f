"""What is Nova's own: no idempotency key, quotas, hosts without room, parts that are away."""

import dataclasses
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_bridge.types import Machine, Template
from cloud_bridge.vms.base import Limits, VmError, VmFullError, VmRefusedError
from cloud_bridge.vms.openstack import OpenStackProvider
from cloud_bridge.vms.openstack_api import Cloud
from tests.cloud_bridge.service import new_key
from tests.cloud_bridge.vms.case import spec
from tests.cloud_bridge.vms.case_openstack import KINDS, fail, provider_at, servers
from tests.world.openstack.stack import Stack
from tests.world.waiting import until, within

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def openstack(stack: Stack) -> Iterator[OpenStackProvider]:
    until(stack.host_is_up, 60, "the compute host")
    made = provider_at(stack)
    yield made
    for machine in made.list():
        if machine.ours:
            made.delete(machine.key)
    made.close()


def ours(provider: OpenStackProvider) -> list[Machine]:
    return [machine for machine in provider.list() if machine.ours]


def held(stack: Stack, key: str) -> list[str]:
    """Return the ids of the servers with a key, the eldest first."""
    return [each.id for each in sorted(servers(stack, key), key=lambda e: (e.created_at, e.id))]


def doubled(stack: Stack, key: str) -> None:
    """Make a second server of the same name and metadata, as a lost answer would."""
    (first,) = servers(stack, key)
    keeper = stack.keeper
    second = keeper.compute.create_server(
        name=first.name,
        image_id=first.image.id,
        flavor_id=keeper.compute.find_flavor("meet.s").id,
        networks="none",
        metadata=dict(first.metadata),
    )
    keeper.compute.wait_for_server(second, wait=60)


def test_what_people_write_survives_in_the_metadata(openstack: OpenStackProvider) -> None:
    wish = dataclasses.replace(spec(new_key()), meeting="\U0001f389" * 300, rooms=("ä b", "日本"))
    openstack.ensure(wish)
    (found,) = [each for each in openstack.list() if each.key == wish.key]
    assert (found.meeting, found.rooms) == (wish.meeting, wish.rooms)
    endless = dataclasses.replace(spec(new_key()), meeting="x" * 5000)
    with pytest.raises(VmRefusedError, match="meeting has more than"):
        openstack.ensure(endless)


def test_of_two_servers_with_one_key_the_younger_goes(
    openstack: OpenStackProvider, stack: Stack
) -> None:
    key = new_key()
    openstack.ensure(spec(key))
    doubled(stack, key)
    first, _ = held(stack, key)
    assert [each.key for each in ours(openstack)] == [key]
    until(lambda: held(stack, key) == [first], 30, "the younger to go")
    doubled(stack, key)
    openstack.ensure(spec(key))
    until(lambda: held(stack, key) == [first], 30, "the younger to go")
    doubled(stack, key)
    openstack.delete(key)
    until(lambda: held(stack, key) == [], 30, "both to go")


def test_of_two_servers_the_one_that_lives_counts(
    openstack: OpenStackProvider, stack: Stack
) -> None:
    key = new_key()
    openstack.ensure(spec(key))
    fail(stack, key)
    doubled(stack, key)
    first, second = held(stack, key)
    assert [each.phase for each in ours(openstack)] == ["booting"]
    until(lambda: held(stack, key) == [second], 30, f"{first} to go")


def test_two_reconcilers_at_once_make_one_machine(stack: Stack) -> None:
    key = new_key()
    several = [provider_at(stack) for _ in range(3)]
    threads = [threading.Thread(target=each.ensure, args=(spec(key),)) for each in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    until(lambda: [m.key for m in ours(several[0])] == [key], 30, "one of them")
    until(lambda: len(held(stack, key)) == 1, 30, "the others to go")
    several[0].delete(key)
    for each in several:
        each.close()


def test_a_creation_whose_answer_is_lost_makes_no_second_server(
    openstack: OpenStackProvider, stack: Stack, tmp_path: Path
) -> None:
    with Deaf(stack.settings.ports["nova"]) as deaf:
        clouds = json.loads(stack.clouds.read_text())
        clouds["clouds"]["meetings"]["compute_endpoint_override"] = (
            f"http://127.0.0.1:{deaf.port}/v2.1"
        )
        file = tmp_path / "clouds.yaml"
        file.write_text(json.dumps(clouds))
        behind = OpenStackProvider(
            Cloud("meetings", file, timeout_s=30), "ours", KINDS, Limits(memory_mib=512, boots=2)
        )
        key = new_key()
        with pytest.raises(VmError, match="make a server"):
            behind.ensure(spec(key))
        behind.close()
        assert deaf.creations == 1
    until(lambda: len(held(stack, key)) == 1, 30, "what was made all the same")
    made = openstack.ensure(spec(key))
    assert len(held(stack, key)) == 1
    assert [each.token for each in ours(openstack)] == [made.token]


def test_a_used_up_quota_is_no_room_and_leaves_nothing(
    openstack: OpenStackProvider, stack: Stack
) -> None:
    there = len(openstack.list())
    stack.admin.compute.update_quota_set(stack.project, instances=there + 1)
    try:
        openstack.ensure(spec(new_key()))
        with pytest.raises(VmFullError, match=r"[Qq]uota exceeded"):
            openstack.ensure(spec(new_key()))
        assert len(ours(openstack)) == 1
    finally:
        stack.admin.compute.update_quota_set(stack.project, instances=10)


def test_no_host_with_room_is_no_room_and_leaves_nothing(openstack: OpenStackProvider) -> None:
    with pytest.raises(VmFullError, match="No valid host"):
        openstack.ensure(spec(new_key(), template=Template("vast", 128)))
    until(lambda: ours(openstack) == [], 30, "the failed one to go")


def test_capacity_is_the_quota_less_what_strangers_use(stack: Stack) -> None:
    greedy = provider_at(stack, limits=Limits())
    whole = greedy.capacity()
    key = new_key()
    greedy.ensure(spec(key))
    assert greedy.capacity() == whole
    stranger = provider_at(stack, "somebody-else", Limits())
    other = new_key()
    stranger.ensure(spec(other, template=Template("large", 512, 2)))
    less = greedy.capacity()
    assert (whole.memory_mib - less.memory_mib, whole.vcpus - less.vcpus) == (512, 2)
    for provider, each in ((greedy, key), (stranger, other)):
        provider.delete(each)
        provider.close()


def test_the_end_under_a_dead_compute_host_is_waited_for_not_believed(
    openstack: OpenStackProvider, stack: Stack
) -> None:
    key = new_key()
    openstack.ensure(spec(key))
    # Before a host has it, its end is done without any.
    until(lambda: [each.status for each in servers(stack, key)] == ["ACTIVE"], 60, "it to run")
    hasty = provider_at(stack, patience_s=2.0)
    stack.kill("compute")
    try:
        with pytest.raises(VmError, match="nova-compute of its host may be away"):
            hasty.delete(key)
        assert [(each.key, each.phase) for each in ours(openstack)] == [(key, "ending")]
        with pytest.raises(VmError, match="its end was asked for"):
            openstack.ensure(spec(key))
        with pytest.raises(VmError, match="gone"):
            openstack.renew(key, 3e9)
        assert len(held(stack, key)) == 1
    finally:
        stack.start_daemon("compute")
        hasty.close()
    until(lambda: ours(openstack) == [], 120, "the end once the host is back")


def test_a_token_that_ended_is_replaced(openstack: OpenStackProvider, stack: Stack) -> None:
    openstack.list()
    connection = openstack._cloud._connected()
    token = connection.session.get_token()
    stack.admin.session.delete(
        f"{stack.settings.url('keystone')}/auth/tokens", headers={"X-Subject-Token": token}
    )
    # What Keystone has said about a token is believed for some seconds.
    until(lambda: ours(openstack) == [] and connection.session.get_token() != token, 60)


def test_a_keystone_that_is_away_is_an_error_and_forgotten_when_it_is_back(
    openstack: OpenStackProvider, stack: Stack
) -> None:
    key = new_key()
    openstack.ensure(spec(key))
    stack.kill("keystone")
    fresh = provider_at(stack)
    try:
        with within(70), pytest.raises(VmError, match="OpenStack 'meetings' does not"):
            fresh.list()
        # What Keystone has said about a token is believed for some seconds.
        until(lambda: not lists(openstack, key), 120, "an error")
        with within(70), pytest.raises(VmError, match="OpenStack 'meetings' does not"):
            openstack.list()
    finally:
        stack.start_web("keystone")
    for provider in (openstack, fresh):
        until(lambda each=provider: lists(each, key), 60, "the list again")
    fresh.close()


def lists(provider: OpenStackProvider, key: str) -> bool:
    try:
        return [each.key for each in ours(provider)] == [key]
    except VmError:
        return False


def test_wrong_credentials_and_unknown_clouds_are_told(stack: Stack, tmp_path: Path) -> None:
    clouds = json.loads(stack.clouds.read_text())
    clouds["clouds"]["meetings"]["auth"]["password"] = "wrong"
    file = tmp_path / "clouds.yaml"
    file.write_text(json.dumps(clouds))
    with pytest.raises(VmError, match=r"Keystone refuses the credentials in .*clouds\.yaml"):
        Cloud("meetings", file).servers()
    with pytest.raises(VmError, match="elsewhere"):
        Cloud("elsewhere", file).servers()


class Deaf:
    """Hands everything on to a port, but never the answer to a creation."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.port = self._socket.getsockname()[1]
        self.creations = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Deaf":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(40)
        self._socket.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._socket.accept()
            except TimeoutError:
                continue
            with client:
                self._one(client)

    def _one(self, client: socket.socket) -> None:
        client.settimeout(30)
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(65536)
            if not more:
                return
            head += more
        before, _, body = head.partition(b"\r\n\r\n")
        lines = [
            line for line in before.split(b"\r\n") if not line.lower().startswith(b"connection")
        ]
        length = sum(
            int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length")
        )
        while len(body) < length:
            body += client.recv(65536)
        whole = b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body
        with socket.create_connection(("127.0.0.1", self._target), 30) as server:
            server.sendall(whole)
            answer = b""
            while more := server.recv(65536):
                answer += more
        if lines[0].startswith(b"POST") and b"/servers " in lines[0]:
            self.creations += 1
            return
        client.sendall(answer)
