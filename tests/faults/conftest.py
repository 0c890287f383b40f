import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_bridge.vms.guest.build import build
from tests.world.libvirtd import Libvirtd
from tests.world.places import ROOT
from tests.world.postgres import Postgres


@pytest.fixture(scope="session")
def libvirtd() -> Iterator[Libvirtd]:
    """A hypervisor for all tests of machines; each leaves it without machines."""
    build(ROOT / "build" / "guest")
    with Libvirtd() as daemon:
        yield daemon


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database of each kind, the file in the place's own folder."""
    if request.param == "sqlite":
        return "cloud.db"
    server: Postgres = request.getfixturevalue("postgres")
    server.empty()
    return server.url


@pytest.fixture
def home() -> Iterator[Path]:
    """A temporary folder with a short name."""
    with tempfile.TemporaryDirectory(prefix="rk-m-") as name:
        yield Path(name)
