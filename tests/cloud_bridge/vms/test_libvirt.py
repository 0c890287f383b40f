"""What is libvirt's own, on a real one: a daemon, and the driver inside this process."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from cloud_bridge.types import Template
from cloud_bridge.vms.answers import answers
from cloud_bridge.vms.base import VmError
from cloud_bridge.vms.libvirt import LibvirtProvider, Limits
from tests.cloud_bridge.service import new_key
from tests.cloud_bridge.vms.case import Case, spec
from tests.cloud_bridge.vms.case_libvirt import ENTRIES, images, provider_at
from tests.world.libvirtd import Libvirtd
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
both = pytest.mark.parametrize("case", list(ENTRIES), indirect=True)


@pytest.fixture(scope="module")
def provider(case: Case) -> Iterator[LibvirtProvider]:
    made = case.provider("ours")
    assert isinstance(made, LibvirtProvider)
    yield made
    for machine in made.list():
        if machine.ours:
            made.delete(machine.key)
    made.close()


@pytest.fixture
def uri(provider: LibvirtProvider) -> str:
    return provider._connection.uri


@both
def test_a_pc_board_boots_too(provider: LibvirtProvider) -> None:
    machine = provider.ensure(spec(new_key(), template=Template("pc", 128)))
    until(lambda: answers(machine), 60, "its page")
    provider.delete(machine.key)


@both
def test_capacity_is_what_is_configured_and_at_most_the_host(
    provider: LibvirtProvider, uri: str, guest: Path
) -> None:
    assert provider.capacity().memory_mib == 512
    assert provider.capacity().boots == 2
    greedy = LibvirtProvider(uri, "ours", images(guest), Limits(memory_mib=10**8, reserve_mib=0))
    assert 512 < greedy.capacity().memory_mib < 10**8
    assert greedy.capacity().boots >= 1
    greedy.close()


@both
def test_a_machine_that_ends_by_itself_while_it_is_ended_is_gone(
    provider: LibvirtProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key()
    provider.ensure(spec(key))
    domain = provider._find(provider._connection.get(), key)
    assert domain is not None
    domain.destroy()
    monkeypatch.setattr(provider, "_find", lambda *_: domain)
    provider.delete(key)
    with pytest.raises(VmError, match=key):
        provider.renew(key, 2e9)


def test_libvirt_begins_a_machine_without_asking_for_each_feature_of_its_processor(
    tmp_path: Path, guest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = tmp_path / "said"
    monkeypatch.setenv("LIBVIRT_LOG_FILTERS", "1:qemu.qemu_monitor")
    monkeypatch.setenv("LIBVIRT_LOG_OUTPUTS", f"1:file:{said}")
    with Libvirtd() as daemon:
        provider = provider_at(daemon.uri, guest)
        provider.ensure(spec(new_key()))
        provider.close()
    asked = said.read_text().split("QEMU_MONITOR_SEND_MSG")[1:]
    assert any('"cont"' in each for each in asked), "the log says what is asked"
    assert sum('"qom-get"' in each for each in asked) < 20


def test_a_hypervisor_that_is_away_is_an_error_that_says_where(tmp_path: Path, guest: Path) -> None:
    away = provider_at(f"qemu:///system?socket={tmp_path}/none", guest)
    with pytest.raises(VmError, match=str(tmp_path)):
        away.list()
    with pytest.raises(VmError, match="absolute"):
        provider_at("qemu:///embed", guest)


@both
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


@both
def test_a_guest_has_one_network_that_is_shut_in(provider: LibvirtProvider, uri: str) -> None:
    conn = libvirt.open(uri)
    machine = provider.ensure(spec(new_key()))
    try:
        xml = conn.lookupByUUIDString(machine.key).XMLDesc(0)
        assert "restrict=on" in xml
        assert "hostfwd=tcp:127.0.0.1:" in xml
        assert "<interface" not in xml
    finally:
        provider.delete(machine.key)
