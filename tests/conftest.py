"""What every test may use: the recordings' folder; and nothing may be left running at the end."""

import os
import signal
import sys
import time
from pathlib import Path

import hypothesis
import pytest
import pytest_timeout

# A job in the background is started deaf to Ctrl-C, and so would be all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.world.waiting import Own  # noqa: E402 (found by the line before)

hypothesis.settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("ci")


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item, settings):
    """Count a test's time as `until` does: what the host took is given back, and no more."""
    own = Own()

    def ring(_number, _frame):
        left = settings.timeout - own.seconds()
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.1))
        else:
            pytest_timeout.timeout_sigalrm(item, settings)

    def cancel():
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    item.cancel_timeout = cancel
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout)
    return True


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public recordings; the tests that need it skip where there is none."""
    named = os.environ.get("ROOMKEEPER_DATA", "")
    if not named:
        pytest.skip("ROOMKEEPER_DATA names no folder of recordings")
    folder = Path(named)
    if not folder.is_absolute():
        folder = ROOT / folder
    if not folder.is_dir():
        pytest.fail(f"ROOMKEEPER_DATA={named}: no such folder")
    return folder


def children() -> dict[int, str]:
    """Return the processes started by this one, and theirs, that still run: pid -> command line."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents[int(entry.name)] = int(parent)
    found: dict[int, str] = {}
    grown = {os.getpid()}
    while grown:
        grown = {pid for pid, parent in parents.items() if parent in grown and pid not in found}
        found.update(dict.fromkeys(grown, ""))
    return {pid: line for pid in found if (line := _command(pid))}


def _command(pid: int) -> str:
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return data.replace(b"\0", b" ").decode(errors="replace").strip()


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_running():
    """Fail the run when a process that a test started outlives all of them."""
    before = children()
    yield
    deadline = time.monotonic() + 5
    left: dict[int, str] = {}
    while time.monotonic() < deadline:
        left = {pid: line for pid, line in children().items() if pid not in before}
        # Python's own helper ends with the process that it serves.
        left = {pid: line for pid, line in left.items() if "resource_tracker" not in line}
        if not left:
            return
        time.sleep(0.05)
    pytest.fail("left running: " + "; ".join(f"{pid} {line}" for pid, line in left.items()))
