"""`roomkeeper-edge intents`, as a person runs it."""

from pathlib import Path

from click.testing import CliRunner

from edge.cli import main

ROOT = Path(__file__).parents[2]
ROOM = str(ROOT / "config/room.toml")


def run(*args: str):
    return CliRunner().invoke(main, ["intents", *args])


def test_the_intents_are_listed_as_they_are_in_the_room():
    result = run("list", "--config", ROOM)
    assert result.exit_code == 0, result.output
    assert "Live demonstration  (#live-demo #demo)" in result.output
    assert "light.main = 80, 300 s before the start" in result.output
    assert "machine demo-small, begun 300 s before the start" in result.output
    assert "promise: machine ready 30 s before the start" in result.output
    assert "Aurora as people expect to find it." in result.output


def test_a_configuration_that_is_not_there_is_named(tmp_path):
    result = run("list", "--config", str(tmp_path / "none.toml"))
    assert result.exit_code == 1
    assert "none.toml: cannot be read" in result.output
    assert "Traceback" not in result.output
