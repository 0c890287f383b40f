"""A configuration's templates and quota, from the file to the guest, by the service's processes."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from edge.contracts.wire import WantedMachine
from tests.cloud_bridge.service import Asker, Running, new_key, write_config
from tests.world.libvirtd import Libvirtd
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TEMPLATE = """
[templates.small]
ready = "serial"
egress = ["git.example.org:443"]
append = "demo.word=1"
disk = "base.raw"
kernel = "{guest}/vmlinux"
initramfs = "{guest}/initramfs"
priority = 2
"""


@pytest.fixture
def files() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:  # a socket's path has 107 characters at most
        yield Path(folder)


def wish(key: str, organiser: str, start: float) -> WantedMachine:
    now = time.time()
    return WantedMachine(
        key, f"meeting {key}", "small", now + start, now + start + 600, owner=organiser
    )


def test_a_template_reaches_its_guest_and_an_organiser_has_no_more_than_his_share(
    tmp_path: Path, broker: Mosquitto, libvirtd: Libvirtd, guest: Path, files: Path
) -> None:
    config = write_config(tmp_path, broker.port, libvirtd.uri, name=f"t{new_key()[:8]}")
    (tmp_path / "base.raw").write_bytes(b"base".ljust(1 << 20, b"\0"))
    text = config.read_text()
    text = text.replace("[provider]\n", f'[provider]\nper_organiser = 1\nfiles = "{files}"\n')
    text = text.replace("\n[templates.small]\n", TEMPLATE.format(guest=guest))
    config.write_text(text)
    first, second, other = new_key(), new_key(), new_key()
    with Running("ingest", config), Asker(broker.broker) as room, Running("reconcile", config):
        until(lambda: room.link.connected, 60)
        later = wish(second, "ada", 400), wish(other, "ben", 3000)
        room.want(wish(first, "ada", 20), *later)
        until(lambda: room.phase(first) == "ready", 150, "ready, said on the serial line")
        until(lambda: room.phase(second) == "refused", 60, "the second one of the organiser")
        report = room.report(second)
        assert report is not None
        assert "its organiser has 1 machines then" in report.detail
        assert room.phase(other) == "wanted"
        xml = libvirt.open(libvirtd.uri).lookupByUUIDString(first).XMLDesc(0)
        for told in ("rk.hosts=10.0.2.101=git.example.org", "demo.word=1", "/disk.qcow2", "wire"):
            assert told in xml
        assert [path.name for path in files.iterdir()] == [first]
        room.want(*later)
        until(lambda: room.phase(first) == "gone", 60, "gone")
        until(lambda: room.phase(second) != "refused", 60, "room for the second one")
        room.want()
        until(lambda: list(files.iterdir()) == [], 60, "nothing left of it")
