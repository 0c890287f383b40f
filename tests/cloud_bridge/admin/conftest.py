from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world.office import Office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with Office(tmp_path) as opened:
        yield opened
