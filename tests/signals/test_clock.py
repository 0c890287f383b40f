"""Whether wall time is believed, and what a jump of it does: nothing until it lasts."""

import pytest

from edge.contracts.base import Now
from edge.contracts.signals import ClockChecked
from edge.signals import clock as module
from edge.signals.clock import ClockSource, believable
from edge.signals.steady import SteadyClock
from tests.world.room import EPOCH

HOUR = 3600.0


class Hands:
    """A clock whose hands a test turns. `jump` moves wall time alone."""

    def __init__(self, wall: float = EPOCH) -> None:
        self.wall, self.mono = wall, 50.0
        self.synchronised = False

    def __call__(self) -> Now:
        return Now(self.wall, self.mono, True)

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds

    def steady(self) -> SteadyClock:
        return SteadyClock(self, lambda: self.synchronised)


@pytest.mark.parametrize("jump", [HOUR, -HOUR, -EPOCH])
def test_a_slip_that_comes_back_was_never_there(jump):
    hands = Hands()
    steady = hands.steady()
    hands.wall += jump
    for _ in range(5):
        hands.wait(10)
        assert steady().wall == pytest.approx(hands.wall - jump)
    hands.wall -= jump
    hands.wait(100)
    assert steady() == hands()


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_jump_counts_when_it_lasts(jump):
    hands = Hands()
    steady = hands.steady()
    hands.wall += jump
    assert steady().wall == pytest.approx(EPOCH)
    hands.wait(59)
    assert steady().wall == pytest.approx(EPOCH + 59)
    hands.wait(2)
    assert steady() == hands()


def test_network_time_counts_at_once():
    hands = Hands(wall=12.0)
    steady = hands.steady()
    assert steady().wall == 12.0
    hands.wall, hands.synchronised = EPOCH, True
    assert steady() == hands()


def test_every_new_jump_has_to_last_for_itself():
    hands = Hands()
    steady = hands.steady()
    for number in range(1, 10):
        hands.wall += HOUR
        hands.wait(40)
        assert steady().wall == pytest.approx(EPOCH + 40 * number)


def test_slewing_is_followed():
    hands = Hands()
    steady = hands.steady()
    for _ in range(100):
        hands.wait(1)
        hands.wall += 0.5
        assert steady() == hands()


@pytest.mark.parametrize(
    ("wall", "synchronised", "hardware", "why"),
    [
        (EPOCH + 1, False, True, ""),
        (EPOCH + 1, True, False, ""),
        (EPOCH + 1, False, False, "no network time"),
        (EPOCH - HOUR, False, True, "earlier"),
        (12.0, False, True, "earlier"),
        # What was journaled under a clock that was an hour fast does not outweigh network time.
        (EPOCH - HOUR, True, False, ""),
    ],
)
def test_what_is_believed(wall, synchronised, hardware, why):
    said = believable(wall, EPOCH, synchronised=synchronised, hardware=hardware)
    assert said.startswith(why) if why == "" else why in said
    assert bool(said) == bool(why)


def test_a_start_in_1970_is_not_trusted_until_the_clock_is_set(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "MARKER", tmp_path / "none")
    monkeypatch.setattr(module, "kernel_synchronised", lambda: False)
    hands = Hands(wall=12.0)
    told: list[ClockChecked] = []
    source = ClockSource(told.append, hands.steady(), newest_known=EPOCH, always_trust=True)
    source.check()
    assert [(one.trusted, "earlier" in one.reason) for one in told] == [(False, True)]
    hands.wall = EPOCH + 10
    source.check()
    assert len(told) == 1, "not before it has lasted"
    hands.wait(61)
    source.check()
    hands.wait(5)
    source.check()
    assert told[-1].trusted
