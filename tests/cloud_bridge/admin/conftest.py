from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world.office import Office


@pytest.fixture
def office(tmp_path: Path, database: str) -> Iterator[Office]:
    with Office(tmp_path, url=database) as opened:
        yield opened
