"""The reconciler as a process, against a real broker, a real libvirtd and real guests."""

import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.contracts.wire import WantedMachine
from tests.cloud_bridge.service import Asker, Running, new_key, write_config
from tests.world.libvirtd import Libvirtd
from tests.world.mosquitto import Mosquitto
from tests.world.waiting import Own, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def config(tmp_path: Path, broker: Mosquitto, libvirtd: Libvirtd, guest: Path) -> Path:
    return write_config(tmp_path, broker.port, libvirtd.uri, name=f"t{new_key()[:8]}")


@pytest.fixture
def ingest(config: Path) -> Iterator[Running]:
    with Running("ingest", config) as process:
        yield process


@pytest.fixture
def room(broker: Mosquitto, ingest: Running) -> Iterator[Asker]:
    with Asker(broker.broker) as asker:
        until(lambda: asker.link.connected)
        yield asker


def meeting(key: str, start: float = 20, seconds: float = 600) -> WantedMachine:
    now = time.time()
    return WantedMachine(key, f"meeting {key}", "small", now + start, now + start + seconds)


def ready(room: Asker, key: str) -> Callable[[], bool]:
    return lambda: room.phase(key) == "ready"


def test_a_machine_is_ready_before_its_meeting_and_gone_after_it(
    config: Path, room: Asker, libvirtd: Libvirtd
) -> None:
    key = new_key()
    with Running("reconcile", config) as reconciler:
        own, wish = Own(), meeting(key)
        room.want(wish)
        until(ready(room, key), 60, "machine ready")
        taken_by_host = own.passed() - own.seconds()
        report = room.report(key)
        assert report is not None
        assert report.at - taken_by_host < wish.start
        page = urllib.request.urlopen(f"http://{report.address}/", timeout=5).read().decode()
        assert key in page
        assert "aurora" in page
        room.want()
        until(lambda: room.phase(key) == "gone", 30, "machine gone")
        assert libvirtd.guests() == []
        assert reconciler.terminate(2.0) == 0
    assert room.phases(key) == ["creating", "booting", "ready", "ending", "gone"]


def test_a_reconciler_killed_in_mid_boot_finds_its_one_machine_again(
    config: Path, room: Asker, libvirtd: Libvirtd
) -> None:
    key = new_key()
    with Running("reconcile", config) as reconciler:
        room.want(meeting(key))
        until(libvirtd.guests, 60, "a guest's process")
        reconciler.kill()
        guests = libvirtd.guests()
        reconciler.start()
        until(ready(room, key), 60, "machine ready")
        assert libvirtd.guests() == guests
        room.want()
        until(lambda: room.phase(key) == "gone", 30, "machine gone")
        assert libvirtd.guests() == []


def test_a_reconciler_stopped_in_mid_boot_ends_within_2_s_and_leaves_the_boot(
    config: Path, room: Asker, libvirtd: Libvirtd
) -> None:
    key = new_key()
    with Running("reconcile", config) as reconciler:
        room.want(meeting(key))
        until(libvirtd.guests, 60, "a guest's process")
        assert reconciler.terminate(2.0) == 0
        assert len(libvirtd.guests()) == 1
        reconciler.start()
        until(ready(room, key), 60, "machine ready")
        room.want()
        until(lambda: room.phase(key) == "gone", 30, "machine gone")


def test_a_wiped_database_kills_no_machine_that_is_in_use(
    config: Path, room: Asker, libvirtd: Libvirtd, ingest: Running
) -> None:
    key = new_key()
    with Running("reconcile", config) as reconciler:
        room.want(meeting(key))
        until(ready(room, key), 60, "machine ready")
        guests = libvirtd.guests()
        reconciler.kill()
        ingest.kill()
        for file in config.parent.glob("cloud.db*"):
            file.unlink()
        room.told.clear()
        reconciler.start()
        until(ready(room, key), 60, "machine found again without a snapshot")
        assert libvirtd.guests() == guests
        ingest.start()
        room.want()
        until(lambda: room.phase(key) == "gone", 30, "machine gone once its room says so")
        assert libvirtd.guests() == []


def test_a_guest_that_dies_is_made_anew_and_the_reason_told(
    config: Path, room: Asker, libvirtd: Libvirtd
) -> None:
    import os
    import signal

    key = new_key()
    with Running("reconcile", config):
        room.want(meeting(key))
        until(ready(room, key), 60, "machine ready")
        (first,) = libvirtd.guests()
        os.kill(first, signal.SIGKILL)
        until(lambda: libvirtd.guests() not in ([], [first]), 30, "another guest")
        until(ready(room, key), 60, "ready again")
        details = [r.detail for m in room.told for r in m.machines if r.key == key]
        assert any("ended by itself" in detail for detail in details)
        room.want()
        until(lambda: room.phase(key) == "gone", 30, "machine gone")


def test_libvirtd_killed_is_found_again_with_the_machine(
    config: Path, room: Asker, libvirtd: Libvirtd
) -> None:
    key = new_key()
    with Running("reconcile", config):
        room.want(meeting(key))
        until(ready(room, key), 60, "machine ready")
        guests = libvirtd.guests()
        libvirtd.kill()
        libvirtd.start()
        longer = meeting(key, seconds=1200)
        room.want(longer)
        until(lambda: (r := room.report(key)) and r.until == longer.end, 30, "renewed")
        assert libvirtd.guests() == guests
        room.want()
        until(lambda: room.phase(key) == "gone", 30, "machine gone")
        assert libvirtd.guests() == []


def test_what_a_failed_test_leaves_is_gone_for_the_next(
    config: Path, room: Asker, libvirtd: Libvirtd
) -> None:
    key = new_key()
    with Running("reconcile", config):
        room.want(meeting(key))
        until(libvirtd.guests, 60, "a guest's process")
    libvirtd.kill()
    libvirtd.clear()
    assert libvirtd.guests() == []
    with Running("reconcile", config):
        until(ready(room, key), 60, "machine ready")
        assert len(libvirtd.guests()) == 1
