"""`roomkeeper-edge explain ID`: what a row of the journal says of itself."""

from pathlib import Path

from click.testing import CliRunner

from edge.cli import main
from edge.contracts.base import Now
from edge.contracts.signals import MotionChanged, encode_signal
from edge.journal import Journal, Row


def test_one_of_a_crowd_says_that_its_decision_is_that_of_a_later_one(tmp_path: Path) -> None:
    path = tmp_path / "room.journal"
    crowd = [MotionChanged("node:a", True, with_next=True), MotionChanged("node:b", True)]
    written = Journal(path)
    written.start()
    written.append(
        [Row("signal", f"r-1-{n}", Now(1e9, n), encode_signal(s)) for n, s in enumerate(crowd)]
    )
    written.stop()
    first, second = (
        CliRunner().invoke(main, ["explain", str(path), f"r-1-{n}"]).output for n in range(2)
    )
    assert "that of a later one holds for it" in first
    assert "crowd" not in second
