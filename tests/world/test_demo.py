"""The demo itself: a short meeting from end to end, and stopping it at any moment."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edge.journal import open_reader
from edge.replay import replay
from tests.world.places import ROOT
from tests.world.waiting import until, within

pytestmark = pytest.mark.slow


@pytest.fixture
def folder():
    """A temporary folder with a short name: a socket's path holds 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="rk-", dir="/tmp") as name:
        yield Path(name)


DEMO = [sys.executable, "-m", "tests.world.demo", "--short"]


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    """Start the demo with all its temporary files below `folder`."""
    return subprocess.Popen(
        [*DEMO, *more],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)},
        stdout=(folder / "demo.log").open("w"),
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def said(folder: Path) -> str:
    return (folder / "demo.log").read_text()


def leftovers(folder: Path) -> list[str]:
    """Every process whose command line, environment or mounts know the folder; every file in it."""
    mark = str(folder).encode()
    found = [str(path) for path in folder.iterdir() if path.name != "demo.log"]
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            known = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            known += (entry / "mountinfo").read_bytes()
        except OSError:
            continue
        if mark in known:
            found.append(known[:200].decode(errors="replace"))
    return found


def ports(text: str) -> list[int]:
    """The loopback ports the demo's parts were told to listen on."""
    return [int(word) for word in text.split() if word.isdigit() and 1024 < int(word) < 65536]


def test_a_meeting_lives_from_booking_to_release_and_its_journal_proves_it(folder):
    kept = folder / "kept.journal"
    demo = start(folder, "--keep", str(kept))
    code = demo.wait(220)
    text = said(folder)
    assert code == 0, text
    assert "MISSING" not in text
    for step in ("is ready", "checked the meeting in", "was extended", "machine is gone"):
        assert step in text
    with open_reader(kept) as reader:
        from edge.assembly import build_core

        found = replay(reader.read(), build_core)
    assert found.same
    assert found.decisions > 20
    for file in folder.glob("kept.journal*"):
        file.unlink()
    assert leftovers(folder) == []


MOMENTS = [
    ("composing the clip", signal.SIGHUP),
    ("starting brokers", signal.SIGTERM),
    ("broker-room.log", signal.SIGINT),
    ("calendar.log", signal.SIGTERM),
    ("libvirtd.log", signal.SIGINT),
    ("reconcile.log", signal.SIGTERM),
    ("edge.log", signal.SIGINT),
    ("is creating", signal.SIGTERM),
    ("is booting", signal.SIGINT),
    ("is ready", signal.SIGTERM),
]


@pytest.mark.parametrize(("moment", "number"), MOMENTS, ids=[m[0] for m in MOMENTS])
def test_stopping_at_any_moment_leaves_nothing_behind(folder, moment, number):
    demo = start(folder)

    def reached() -> bool:
        if demo.poll() is not None:
            pytest.fail(f"ended before {moment!r}: {said(folder)}")
        return moment in said(folder) or any(folder.glob(f"*/log/{moment}"))

    until(reached, 60)
    demo.send_signal(number)
    with within(15):
        assert demo.wait(20) == 130, said(folder)
    assert leftovers(folder) == []
    for port in ports(said(folder)):
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", port)) != 0
