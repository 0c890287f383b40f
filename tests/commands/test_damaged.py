"""`watch` and `explain` on a journal whose rows were damaged, as a person runs them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.cli import main
from edge.contracts.base import Now
from edge.contracts.signals import PeopleCounted, encode_signal
from edge.journal import Journal, Row


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Three times people were counted."""
    path = tmp_path / "room.journal"
    written = Journal(path)
    written.start()
    body = [encode_signal(PeopleCounted("camera", n, 0.9)) for n in range(3)]
    written.append([Row("signal", f"r-1-{n}", Now(1e9 + n, n), body[n]) for n in range(3)])
    written.stop()
    return path


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM payload WHERE seq = 2",
        "UPDATE payload SET body = x'fffe00' WHERE seq = 2",
        "UPDATE payload SET body = 7 WHERE seq = 2",
        'UPDATE payload SET body = CAST(\'{"type":"seance"}\' AS BLOB) WHERE seq = 2',
        "UPDATE chain SET kind = 'decision' WHERE seq = 2",
        "UPDATE chain SET wall = 1e300 WHERE seq = 2",
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_others_are_shown(
    journal: Path, change: str
) -> None:
    with closing(sqlite3.connect(journal)) as db, db:
        assert db.execute(change).rowcount == 1
    shown = run("watch", "--once", journal)
    assert shown.exit_code == 0, shown.output
    first, second, third = shown.output.splitlines()
    assert (second, "0 in view" in first, "2 in view" in third) == (
        "row 2 cannot be read", True, True,
    )  # fmt: skip
    assert run("explain", journal, "r-1-1").output == "row 2 cannot be read\n"
    assert "signal r-1-2" in run("explain", journal, "r-1-2").output


def test_a_row_without_an_instant_ends_with_its_number(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as db, db:
        db.execute("UPDATE chain SET wall = 'abc' WHERE seq = 2")
    for command in (
        ("watch", "--once", journal),
        ("explain", journal, "r-1-1"),
        ("replay", journal),
    ):
        done = run(*command)
        assert isinstance(done.exception, SystemExit), command
        assert "row 2 cannot be read: its instant is no number" in done.output


@pytest.mark.parametrize("after", [10**23, 2**63, -1])
def test_a_row_that_no_journal_has_is_refused(journal: Path, after: int) -> None:
    done = run("watch", "--once", journal, "--after", after)
    assert (done.exit_code, "'--after'" in done.output) == (2, True)
    assert run("watch", "--once", journal, "--after", 2**63 - 1).output == ""
