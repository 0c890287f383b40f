"""The contract of every provider, on the real thing."""

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from cloud_bridge.types import Create, Template
from cloud_bridge.vms.answers import answers
from cloud_bridge.vms.base import VmError, VmRefusedError
from cloud_bridge.vms.domain import Image
from cloud_bridge.vms.libvirt import LibvirtProvider, Limits
from tests.cloud_bridge.service import new_key
from tests.world.libvirtd import Libvirtd
from tests.world.supervisor import sweep
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SMALL = Template("small", 128)


@pytest.fixture(scope="module", params=["libvirtd", "embed"])
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "libvirtd":
        daemon: Libvirtd = request.getfixturevalue("libvirtd")
        yield daemon.uri
        return
    # A socket's path has 107 characters at most.
    root = tmp_path_factory.mktemp("e")
    yield f"qemu:///embed?root={root}"
    sweep(str(root))


@pytest.fixture(scope="module")
def images(guest: Path) -> dict[str, Image]:
    kernel, initramfs = guest / "vmlinux", guest / "initramfs"
    return {
        "small": Image(kernel, initramfs),
        "pc": Image(kernel, initramfs, "q35"),
        "missing": Image(guest / "nothing", initramfs),
    }


def provider_at(uri: str, images: dict[str, Image], owner: str = "ours") -> LibvirtProvider:
    return LibvirtProvider(uri, owner, images, Limits(memory_mib=512, boots=2))


@pytest.fixture(scope="module")
def provider(uri: str, images: dict[str, Image]) -> Iterator[LibvirtProvider]:
    made = provider_at(uri, images)
    yield made
    for machine in made.list():
        if machine.ours:
            made.delete(machine.key)
    made.close()


def spec(key: str, until_: float = 2e9, template: Template = SMALL) -> Create:
    return Create(key, 'demo <&"> 1/2@x', ("aurora", "b c"), template, until_, "Title")


def held(provider: LibvirtProvider, key: str) -> int:
    return sum(machine.key == key for machine in provider.list())


def test_a_machine_lives_answers_is_renewed_and_ends(provider: LibvirtProvider) -> None:
    key = new_key()
    machine = provider.ensure(spec(key))
    until(lambda: answers(machine), 60, "its page")
    (listed,) = [each for each in provider.list() if each.key == key]
    assert listed == machine
    assert (listed.ours, listed.rooms, listed.meeting) == (
        True,
        ("aurora", "b c"),
        spec(key).meeting,
    )
    assert listed.until == 2e9
    provider.renew(key, 3e9)
    provider.renew(key, 2.5e9)
    assert [each.until for each in provider.list() if each.key == key] == [2.5e9]
    provider.delete(key)
    provider.delete(key)
    assert held(provider, key) == 0
    assert not answers(machine)


def test_ensuring_twice_and_from_many_threads_makes_one_machine(
    provider: LibvirtProvider, uri: str, images: dict[str, Image]
) -> None:
    key = new_key()
    tokens: list[str] = []
    threads = [
        threading.Thread(target=lambda: tokens.append(provider.ensure(spec(key)).token))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    tokens.append(provider.ensure(spec(key)).token)
    assert len(tokens) == 5
    assert len(set(tokens)) == 1
    assert held(provider, key) == 1
    provider.delete(key)


def test_a_stranger_is_listed_as_such_and_never_touched(
    provider: LibvirtProvider, uri: str, images: dict[str, Image]
) -> None:
    key = new_key()
    other = provider_at(uri, images, owner="somebody-else")
    other.ensure(spec(key))
    assert all(not machine.ours for machine in provider.list() if key in machine.key)
    for touch in (
        lambda: provider.delete(key),
        lambda: provider.renew(key, 1.0),
        lambda: provider.ensure(spec(key)),
    ):
        with pytest.raises(VmRefusedError, match="not ours"):
            touch()
    assert held(other, key) == 1
    other.delete(key)
    other.close()


def test_a_machine_without_our_metadata_is_a_stranger(provider: LibvirtProvider, uri: str) -> None:
    conn = libvirt.open(uri)
    key = new_key()
    xml = f"""<domain type='qemu'><name>plain</name><uuid>{key}</uuid><memory>65536</memory>
      <os><type machine='q35'>hvm</type></os></domain>"""
    domain = conn.defineXML(xml)
    try:
        assert [m.ours for m in provider.list() if m.key == "plain"] == [False]
        with pytest.raises(VmRefusedError, match="not ours"):
            provider.delete(key)
    finally:
        domain.undefine()


def test_a_pc_board_boots_too(provider: LibvirtProvider) -> None:
    machine = provider.ensure(spec(new_key(), template=Template("pc", 128)))
    until(lambda: answers(machine), 60, "its page")
    provider.delete(machine.key)


def test_what_cannot_be_made_is_told_with_the_remedy(provider: LibvirtProvider) -> None:
    with pytest.raises(VmRefusedError, match="image"):
        provider.ensure(spec(new_key(), template=Template("missing", 128)))
    with pytest.raises(VmRefusedError, match="no image"):
        provider.ensure(spec(new_key(), template=Template("never-heard-of", 128)))
    with pytest.raises(VmRefusedError, match="no UUID"):
        provider.ensure(spec("../../etc/passwd"))
    with pytest.raises(VmError, match="does not start"):
        provider.ensure(spec(new_key(), template=Template("small", 10**9)))
    with pytest.raises(VmError, match="gone"):
        provider.renew(new_key(), 1.0)


def test_capacity_is_what_is_configured_and_at_most_the_host(
    provider: LibvirtProvider, uri: str, images: dict[str, Image]
) -> None:
    assert provider.capacity().memory_mib == 512
    assert provider.capacity().boots == 2
    greedy = LibvirtProvider(uri, "ours", images, Limits(memory_mib=10**8, reserve_mib=0))
    assert 512 < greedy.capacity().memory_mib < 10**8
    assert greedy.capacity().boots >= 1
    greedy.close()


def test_a_hypervisor_that_is_away_is_an_error_that_says_where(
    tmp_path: Path, images: dict[str, Image]
) -> None:
    away = provider_at(f"qemu:///system?socket={tmp_path}/none", images)
    with pytest.raises(VmError, match=str(tmp_path)):
        away.list()
    with pytest.raises(VmError, match="absolute"):
        provider_at("qemu:///embed", images)


def test_another_process_on_the_port_does_not_count_as_ready(provider: LibvirtProvider) -> None:
    class Imposter(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"some-key some-token\n")

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Imposter)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        from tests.cloud_bridge.cases import machine

        address = f"127.0.0.1:{server.server_address[1]}"
        assert not answers(machine("k", address=address, token="t"))
        assert answers(machine("some-key", address=address, token="some-token"))
    finally:
        server.shutdown()
        server.server_close()


def test_a_guest_has_one_network_that_is_shut_in(provider: LibvirtProvider) -> None:
    conn = libvirt.open(provider._connection.uri)
    machine = provider.ensure(spec(new_key()))
    try:
        xml = conn.lookupByUUIDString(machine.key).XMLDesc(0)
        assert "restrict=on" in xml
        assert "hostfwd=tcp:127.0.0.1:" in xml
        assert "<interface" not in xml
    finally:
        provider.delete(machine.key)


def test_listing_is_quick_enough_to_poll(provider: LibvirtProvider) -> None:
    began = time.monotonic()
    for _ in range(10):
        provider.list()
    assert time.monotonic() - began < 2.0
