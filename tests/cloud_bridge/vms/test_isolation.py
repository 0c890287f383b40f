"""What a guest reaches, tried from inside: its neighbours, this host, the network, what it may."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_bridge.types import Create, Machine, Template
from cloud_bridge.vms.answers import answers
from cloud_bridge.vms.domain import Image
from cloud_bridge.vms.libvirt import LibvirtProvider, Limits
from tests.cloud_bridge.service import new_key
from tests.cloud_bridge.vms.probe import probe, run
from tests.world.libvirtd import Libvirtd
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Service:
    """A service of the host on every address, which counts who came and greets him."""

    def __init__(self) -> None:
        self.came = 0
        self._tcp = socket.create_server(("0.0.0.0", 0))
        self.port = int(self._tcp.getsockname()[1])
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("0.0.0.0", self.port))
        self._udp.settimeout(0.05)
        self._stop = threading.Event()
        self._tcp.settimeout(0.05)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                peer, _ = self._tcp.accept()
                self.came += 1
                with peer:
                    peer.settimeout(5)
                    said = peer.recv(65536)
                    peer.sendall(b"greetings " + said)
            except TimeoutError:
                pass
            try:
                self._udp.recv(2048)
                self.came += 1
            except TimeoutError:
                pass

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._tcp.close()
        self._udp.close()


@pytest.fixture
def listed() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


@pytest.fixture
def unlisted() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


def own_address() -> str:
    """Return an address of this host that is not its loopback's, "" without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return ""
        return str(sock.getsockname()[0])


def spec(template: str) -> Create:
    return Create(new_key(), "demo@x", ("aurora",), Template(template, 128), 2e9)


def start(provider: LibvirtProvider, template: str) -> Machine:
    machine = provider.ensure(spec(template))
    until(lambda: answers(machine, 5.0), 120, "its page")
    return machine


def say(host: str, port: int) -> str:
    return f"echo hello | timeout 4 nc {host} {port} || echo no"


def everything(unlisted: int, neighbour: int) -> dict[str, str]:
    """Return tries at all that no guest may reach."""
    host = own_address() or "192.0.2.1"
    return {
        "gateway": say("10.0.2.2", unlisted),
        "host": say(host, unlisted),
        "host-udp": f"timeout 3 tftp -g -l /got -r x {host} {unlisted} || echo no",
        "neighbour-by-gateway": say("10.0.2.2", neighbour),
        "neighbour-by-host": say(host, neighbour),
        "neighbour-on-the-wire": "timeout 4 arping -c 2 -I eth0 10.0.2.16 || echo no",
        "metadata": "timeout 4 wget -q -O - http://169.254.169.254/latest/ || echo no",
        "far": say("192.0.2.1", 80),
        "far-ping": "timeout 4 ping -c 1 -W 2 192.0.2.1 || echo no",
        "names": "timeout 4 nslookup example.org 10.0.2.3 || echo no",
        "files": "timeout 3 tftp -g -l /got -r x 10.0.2.2 || echo no",
        "other-port-of-what-is-listed": say("10.0.2.101", unlisted),
    }


def held(machine: Machine, tries: dict[str, str]) -> dict[str, str]:
    """Return what came of the tries that did not end in a no."""
    said = {name: run(machine, command).strip() for name, command in tries.items()}
    return {name: text for name, text in said.items() if not text.endswith("no")}


def test_guests_reach_what_their_templates_list_and_nothing_else(
    listed: Service, unlisted: Service, libvirtd: Libvirtd, guest: Path, tmp_path: Path
) -> None:
    initramfs = probe(guest / "initramfs", tmp_path / "probe")
    images = {
        "shut": Image(guest / "vmlinux", initramfs),
        "exact": Image(guest / "vmlinux", initramfs, egress=(f"127.0.0.1:{listed.port}",)),
    }
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder)
        provider = LibvirtProvider(libvirtd.uri, "ours", images, Limits(512, boots=2), files=files)
        shut, exact = start(provider, "shut"), start(provider, "exact")
        try:
            for machine, other in ((shut, exact), (exact, shut)):
                # The small guest has no route: whoever wants out gives himself one.
                assert run(machine, "ip route add default via 10.0.2.2; echo done") == "done\n"
                neighbour = int(other.address.rpartition(":")[2])
                assert held(machine, everything(unlisted.port, neighbour)) == {}
            assert (unlisted.came, listed.came) == (0, 0)
            assert run(shut, say("10.0.2.101", listed.port)).endswith("no\n")
            for _ in range(2):
                assert run(exact, say("10.0.2.101", listed.port)) == "greetings hello\n"
            assert listed.came == 2
        finally:
            for machine in (shut, exact):
                provider.delete(machine.key)
        assert list(files.iterdir()) == []
        provider.close()
