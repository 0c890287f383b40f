from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_bridge.vms.guest.build import build
from tests.world.libvirtd import Libvirtd
from tests.world.mosquitto import Mosquitto
from tests.world.postgres import Postgres

ROOT = Path(__file__).parents[2]


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    with Mosquitto() as running:
        yield running


@pytest.fixture(scope="session")
def guest() -> Path:
    return build(ROOT / "build" / "guest")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cloud.db"
    server: Postgres = request.getfixturevalue("postgres")
    server.empty()
    return server.url


@pytest.fixture(scope="session")
def daemon() -> Iterator[Libvirtd]:
    with Libvirtd() as running:
        yield running


@pytest.fixture
def libvirtd(daemon: Libvirtd) -> Iterator[Libvirtd]:
    """Lend the one daemon; the next test finds it as this one did, also when this one failed."""
    yield daemon
    daemon.clear()
