"""The demo's supervisor when Ctrl-C comes at its worst."""

import threading
from pathlib import Path

import pytest

from tests.world.supervisor import Supervisor


def test_one_that_is_stopped_before_it_has_begun_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    supervisor = Supervisor(tmp_path)
    with monkeypatch.context() as now:
        now.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            supervisor.start("sleeper", ["sleep", "60"])
    assert supervisor.close() == []
