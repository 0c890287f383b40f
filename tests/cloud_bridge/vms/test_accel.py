"""How guests run here is tried, not believed."""

from pathlib import Path

import pytest

from cloud_bridge.vms import accel


@pytest.mark.slow
def test_emulation_runs_a_guest_and_nonsense_does_not() -> None:
    assert accel.runs("qemu-system-x86_64", "tcg", 20.0)
    assert not accel.runs("qemu-system-x86_64", "tcg", 0.001)
    assert not accel.runs("no-such-emulator", "tcg", 1.0)


def test_the_counter_runs_at_the_rate_the_processor_states() -> None:
    measured, stated = accel.tsc_khz(), accel._stated_khz()
    assert 0.5 < measured / stated < 2.0


def test_the_stated_rate_is_read_or_zero(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("model name : x\ncpu MHz\t\t: 2500.125\n")
    assert accel._stated_khz(info) == 2500125
    info.write_text("nothing\n")
    assert accel._stated_khz(info) == 0
