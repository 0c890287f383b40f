"""Several reconcilers on one PostgreSQL: harmless to each other, and one does a dead one's work."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.contracts.wire import WantedMachine
from tests.cloud_bridge.service import Asker, Running, new_key, write_config
from tests.world.libvirtd import Libvirtd
from tests.world.mosquitto import Mosquitto, free_port
from tests.world.postgres import Postgres
from tests.world.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def config(
    tmp_path: Path, broker: Mosquitto, libvirtd: Libvirtd, guest: Path, postgres: Postgres
) -> Path:
    postgres.empty()
    name = f"t{new_key()[:8]}"
    return write_config(tmp_path, broker.port, libvirtd.uri, name=name, store=postgres.url)


@pytest.fixture
def room(broker: Mosquitto, config: Path) -> Iterator[Asker]:
    with Running("ingest", config), Asker(broker.broker) as asker:
        until(lambda: asker.link.connected)
        yield asker


def reconciler(config: Path, name: str) -> Running:
    options = ("--instance", name, "--health-port", str(free_port()))
    return Running("reconcile", config, *options)


def wish(key: str) -> WantedMachine:
    now = time.time()
    return WantedMachine(key, f"meeting {key}", "small", now + 20, now + 900)


def test_two_at_once_make_one_machine_a_meeting_and_leave_none(
    config: Path, room: Asker, libvirtd: Libvirtd
) -> None:
    keys = [new_key() for _ in range(3)]
    most = 0
    with reconciler(config, "a"), reconciler(config, "b"):
        room.want(*(wish(key) for key in keys))

        def all_ready() -> bool:
            nonlocal most
            most = max(most, len(libvirtd.guests()))
            return all(room.phase(key) == "ready" for key in keys)

        until(all_ready, 120, "three machines")
        assert most == len(libvirtd.guests()) == 3
        room.want()
        until(lambda: all(room.phase(key) == "gone" for key in keys), 60, "all gone")
        assert libvirtd.guests() == []


def test_the_work_of_a_dead_one_is_taken_over(
    config: Path, room: Asker, libvirtd: Libvirtd
) -> None:
    key = new_key()
    with reconciler(config, "a") as first:
        room.want(wish(key))
        until(lambda: {"creating", "booting"} & {*room.phases(key)}, 60, "under way")
        first.kill()
        guests = libvirtd.guests()
        with reconciler(config, "b"):
            until(lambda: room.phase(key) == "ready", 90, "ready by the other")
            assert len(libvirtd.guests()) == 1
            assert guests in ([], libvirtd.guests())
            room.want()
            until(lambda: room.phase(key) == "gone", 60, "gone")
    assert libvirtd.guests() == []


def test_a_database_that_was_away_is_found_again(
    config: Path, room: Asker, libvirtd: Libvirtd, postgres: Postgres
) -> None:
    key = new_key()
    with reconciler(config, "a"):
        room.want(wish(key))
        until(lambda: room.phase(key) == "ready", 90, "ready")
        guests = libvirtd.guests()
        postgres.stop()
        try:
            room.want()
        finally:
            postgres.start()
        until(lambda: room.phase(key) == "gone", 90, "gone once the database is back")
        assert len(guests) == 1
        assert libvirtd.guests() == []
