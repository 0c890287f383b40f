"""`plugin dev`: builds on every change, lives on with what was built last, leaves nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edge.workshop.dev import Dev
from edge.workshop.new import new
from tests.workshop.authors import TOOLS, call, needs
from tests.world.places import ROOT
from tests.world.waiting import until

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-u", "-c", "from edge.cli import main; main()", "plugin")


class Hand:
    """A clock turned by hand, and everything that was said."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[str] = []

    def mono(self) -> float:
        return self.now

    def echo(self, line: str) -> None:
        self.lines += click.unstyle(line).splitlines()

    def said(self, *parts: str) -> bool:
        return any(all(part in line for part in parts) for line in self.lines)


@pytest.fixture
def lamp(tmp_path: Path) -> Path:
    needs(*TOOLS["c"])
    return new("lamp", "c", tmp_path)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def dev(lamp: Path, hand: Hand, tmp_path: Path) -> Iterator[Dev]:
    dev = Dev(lamp, tmp_path / "cache", hand.echo, speed=3600.0, mono=hand.mono)
    yield dev
    dev.close()


def test_it_is_rebuilt_lives_on_and_survives_errors(lamp: Path, hand: Hand, dev: Dev) -> None:
    dev.look()
    assert hand.said("-- built in", "4 golden events as expected")
    hand.now += 1.3
    assert dev.live()
    assert hand.said("light.main = 70", "-> given")
    source = lamp / "plugin.c"
    good = source.read_text()
    source.write_text(good + "\nnonsense")
    dev.look()
    assert hand.said("plugin.c:", "error")
    assert hand.said("the last good build goes on")
    source.write_text(good.replace("level : 0.0", "level / 2.0 : 0.0"))
    hand.lines.clear()
    dev.look()
    assert hand.said("of 4 golden events otherwise")
    hand.now += 0.3
    assert dev.live()
    assert hand.said("light.main = 35", "-> given")
    hand.lines.clear()
    dev.look()
    assert hand.lines == []
    hand.now += 12.0
    assert not dev.live()


def test_a_folder_that_does_not_build_at_first(lamp: Path, hand: Hand, dev: Dev) -> None:
    (lamp / "plugin.toml").write_text("id = 5")
    dev.look()
    assert hand.said("waiting for a change")
    assert dev.live()


@pytest.mark.parametrize("once", [(), ("--once",)])
def test_a_folder_without_a_plugin_is_not_waited_for(tmp_path: Path, once: tuple[str, ...]) -> None:
    said = call("dev", tmp_path, *once, code=1)
    assert f"{tmp_path} holds no plugin" in said
    assert "`plugin new` makes one" in said


def test_what_does_not_build_has_no_day_to_live_once(lamp: Path) -> None:
    (lamp / "plugin.toml").write_text("id = 5")
    said = call("dev", lamp, "--once", code=1)
    assert "does not build" in said


def test_ctrl_c_leaves_nothing(lamp: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = {path: path.read_bytes() for path in lamp.rglob("*") if path.is_file()}
    log = tmp_path / "said"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*COMMAND, "dev", str(lamp), "--speed", "1000"],
            cwd=ROOT, stdout=out, stderr=out, env={**os.environ, "TMPDIR": str(scratch)},
        )  # fmt: skip
        try:
            until(lambda: "person in the room" in log.read_text(), 60, log.read_text())
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()
    assert list(scratch.iterdir()) == []
    assert {path: path.read_bytes() for path in lamp.rglob("*") if path.is_file()} == before
