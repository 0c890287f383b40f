"""How guests run here is tried, not believed."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_bridge.vms import accel
from tests.world.waiting import until

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_emulation_runs_a_guest_and_nonsense_does_not() -> None:
    assert accel.runs("qemu-system-x86_64", "tcg", 20.0)
    assert not accel.runs("qemu-system-x86_64", "tcg", 0.001)
    assert not accel.runs("no-such-emulator", "tcg", 1.0)


def test_a_guest_that_spins_is_given_up_before_its_time(tmp_path: Path) -> None:
    """Stands in for QEMU in a KVM whose guests hang: it uses the processor and never ends."""
    spinning = tmp_path / "spinning"
    spinning.write_text("#!/bin/sh\nwhile :; do :; done\n")
    spinning.chmod(0o755)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert not accel.runs(str(spinning), "kvm", 50.0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 2 * accel.PROBE_CPU_S


def test_a_probe_ends_with_who_asked(tmp_path: Path) -> None:
    """Stands in for QEMU with a program that never ends, and kills the process that probes."""
    pidfile = tmp_path / "pid"
    endless = tmp_path / "endless"
    endless.write_text(
        f"#!/bin/sh\necho $$ > {pidfile}.part\nmv {pidfile}.part {pidfile}\nexec sleep 1000\n"
    )
    endless.chmod(0o755)
    code = f"from cloud_bridge.vms import accel; accel.runs({str(endless)!r}, 'kvm', 1000)"
    prober = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    until(pidfile.exists)
    prober.kill()
    prober.wait(10)
    process = Path("/proc") / pidfile.read_text().strip()
    until(lambda: ended(process))


def ended(process: Path) -> bool:
    try:
        return ") Z" in (process / "stat").read_text()
    except OSError:
        return True


def test_the_counter_runs_at_the_rate_the_processor_states() -> None:
    measured, stated = accel.tsc_khz(), accel._stated_khz()
    assert 0.5 < measured / stated < 2.0


def test_a_processor_taken_back_between_counter_and_clock_spoils_no_rate() -> None:
    now = [0]
    looked = iter(range(accel.LOOKS))

    def read() -> int:
        ticks = 2 * now[0]
        now[0] += 10 if next(looked) == 3 else 50_000_000
        return ticks

    ticks, at = accel._instant(read, lambda: now[0])
    assert abs(ticks - 2 * at) <= 10


def test_the_stated_rate_is_read_or_zero(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("model name : x\ncpu MHz\t\t: 2500.125\n")
    assert accel._stated_khz(info) == 2500125
    info.write_text("nothing\n")
    assert accel._stated_khz(info) == 0
