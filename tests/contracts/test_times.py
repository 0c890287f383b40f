"""Times that peers tell: every one can be shown."""

from zoneinfo import ZoneInfo

import pytest

from edge.contracts.base import local_time

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("wall", "shown"),
    [
        (1_790_000_000.0, "2026-09-21 16:13"),
        (-1e300, "1970-01-01 01:00"),
        (1e300, "9999-12-30 21:00"),
        (float("inf"), "9999-12-30 21:00"),
    ],
)
def test_a_time_is_local_and_what_no_calendar_knows_its_edge(wall: float, shown: str) -> None:
    assert f"{local_time(wall, BERLIN):%Y-%m-%d %H:%M}" == shown
