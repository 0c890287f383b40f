"""Waiting counts only the time in which the machine was ours; a hang is a hang all the same."""

from pathlib import Path

import pytest

from tests.world import waiting
from tests.world.waiting import PATIENCE, Own, until, within

LINE = "{name} 1 2 3 4 5 6 7 {stolen} 9 10\n"


class Machine:
    """Two processors and a clock that runs when it is looked at; theft: of the second's time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stat: Path) -> None:
        self.now, self.pace, self.theft = 100.0, 0.0, 0.0
        self.stat = stat
        monkeypatch.setattr(waiting.time, "monotonic", self._look)
        monkeypatch.setattr(waiting.time, "sleep", lambda _: None)
        monkeypatch.setattr(waiting.os, "sysconf", lambda _: 100)
        monkeypatch.setattr(waiting, "Own", lambda: Own(stat))
        self._tell()

    def _look(self) -> float:
        self.now += self.pace
        self._tell()
        return self.now

    def _tell(self) -> None:
        stolen = round(self.now * self.theft * 100)
        rows = (("cpu", stolen), ("cpu0", 0), ("cpu1", stolen))
        text = "".join(LINE.format(name=name, stolen=number) for name, number in rows)
        self.stat.write_text(f"{text}intr 1 2 3 4 5 6 7 8 9\n")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path / "stat")


@pytest.mark.parametrize(("theft", "waits"), [(0.0, 2), (0.5, 4), (0.99, 2 * PATIENCE)])
def test_what_never_comes_is_waited_for_as_long_as_the_machine_was_ours(
    machine: Machine, theft: float, waits: float
) -> None:
    machine.pace, machine.theft = 0.25, theft
    with pytest.raises(AssertionError, match="not within 2 s: the moon"):
        until(lambda: False, 2, "the moon")
    assert waits <= machine.now - 100 <= waits + 1


def test_what_has_come_is_not_waited_for(machine: Machine) -> None:
    until(lambda: True, 0)
    assert machine.now == 100


@pytest.mark.parametrize(("theft", "took"), [(0.0, r"5\.00"), (0.5, r"2\.50"), (0.99, r"0\.83")])
def test_a_block_may_lose_the_processor_and_not_its_time(
    machine: Machine, theft: float, took: str
) -> None:
    machine.theft = theft
    with pytest.raises(AssertionError, match=took), within(0.5):
        machine.now += 5
    with within(5.01):
        machine.now += 5
