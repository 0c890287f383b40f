"""Weeks of meetings through the real plan: ready before each start, and nothing left over."""

import pytest

from cloud_bridge.types import Capacity, Template
from tests.world.month import Month, People, World, bookings

TEMPLATES = {
    "small": Template("small", 512, boot_s=60.0),
    "large": Template("large", 2048, boot_s=60.0),
}
MEASURED = (4.1, 4.4, 5.0, 4.6, 5.3, 7.0, 4.2)


def weeks(capacity: Capacity, seed: int, failing: float = 0.01) -> Month:
    happenings = bookings(10, 14, seed, People())
    return World(TEMPLATES, capacity, MEASURED, seed, failing).live(happenings)


@pytest.mark.parametrize("seed", range(3))
def test_every_meeting_known_five_minutes_ahead_finds_its_machine_ready(seed: int) -> None:
    month = weeks(Capacity(16_000, 2), seed)
    assert month.early > 200
    assert month.refused == 0
    assert month.early_ready == month.early
    assert (month.doubles, month.overdue) == (0, 0)
    assert month.hours < month.calendar_hours


def test_a_host_that_is_too_small_refuses_and_is_never_overbooked() -> None:
    month = weeks(Capacity(2600, 2), 1)
    assert month.refused > 0
    assert month.most_memory_mib <= 2600
    assert month.early_ready == month.early
    assert (month.doubles, month.overdue) == (0, 0)


def test_boots_that_often_fail_are_tried_again() -> None:
    month = weeks(Capacity(16_000, 2), 1, failing=0.3)
    assert month.early_ready > 0.9 * month.early
    assert (month.doubles, month.overdue) == (0, 0)
