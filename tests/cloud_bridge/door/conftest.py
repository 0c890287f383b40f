from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud_bridge.door.world import Guest, House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as opened:
        yield opened


@pytest.fixture
def guest() -> Iterator[Guest]:
    page = Guest("<h1>hello</h1>")
    yield page
    page.close()
