from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_bridge.vms.guest.build import build
from tests.world.libvirtd import Libvirtd
from tests.world.mosquitto import Mosquitto

ROOT = Path(__file__).parents[2]


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    with Mosquitto() as running:
        yield running


@pytest.fixture(scope="session")
def guest() -> Path:
    return build(ROOT / "build" / "guest")


@pytest.fixture(scope="session")
def libvirtd() -> Iterator[Libvirtd]:
    with Libvirtd() as daemon:
        yield daemon
