"""Waiting counts only the time in which the machine was ours; a hang is a hang all the same."""

from pathlib import Path

import pytest

from tests.world import waiting
from tests.world.waiting import stolen_s, until, within


class Machine:
    """A clock that runs when it is looked at, and what the host took and queues cost so far."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.pace, self.theft, self.queues = 100.0, 0.0, 0.0, 0.0
        monkeypatch.setattr(waiting.time, "monotonic", self._look)
        monkeypatch.setattr(waiting.time, "sleep", lambda _: None)
        monkeypatch.setattr(waiting, "stolen_s", lambda: self.now * self.theft)
        monkeypatch.setattr(waiting, "_queued_s", lambda: self.now * self.queues)

    def _look(self) -> float:
        self.now += self.pace
        return self.now


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize(("theft", "at_least"), [(0.0, 2), (0.5, 4), (0.99, 12)])
def test_what_never_comes_is_waited_for_as_long_as_the_machine_was_ours(
    machine: Machine, theft: float, at_least: float
) -> None:
    machine.pace, machine.theft = 0.25, theft
    with pytest.raises(AssertionError, match="not within 2 s: the moon"):
        until(lambda: False, 2, "the moon")
    assert at_least <= machine.now - 100 <= at_least + 1


def test_what_has_come_is_not_waited_for(machine: Machine) -> None:
    until(lambda: True, 0)
    assert machine.now == 100


@pytest.mark.parametrize("without", ["theft", "queues"])
def test_a_block_may_wait_for_a_processor_and_for_nothing_else(
    machine: Machine, without: str
) -> None:
    with pytest.raises(AssertionError, match=r"5\.00 s, 0\.00 s of it"), within(1):
        machine.now += 5
    setattr(machine, without, 0.9)
    with within(1):
        machine.now += 5


def test_what_the_host_took_is_read_from_the_kernel(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  1 2 3 4 5 6 7 0 9 10\ncpu0 1 2 3 4 5 6 7 0 9 10\n")
    none = stolen_s(stat)
    stat.write_text("cpu  1 2 3 4 5 6 7 800 9 10\n")
    assert none == 0 < stolen_s(stat)
