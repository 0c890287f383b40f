"""A reconciler whose clock a test sets: CONFIG FILE; FILE holds "WALL MONO", seconds ahead."""

import sys
import time
from functools import partial
from pathlib import Path

from cloud_bridge import app, assembly
from cloud_bridge.config import load_cloud
from cloud_bridge.reconcile import loop
from cloud_bridge.reconcile.clock import Clock
from edge.process import logs, stop


class Dial:
    """What the clocks show; the file is written whole, by renaming."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def wall(self) -> float:
        return time.time() + float(self._file.read_text().split()[0])

    def mono(self) -> float:
        return time.monotonic() + float(self._file.read_text().split()[1])


def main() -> None:
    """Run with the file's clock until SIGTERM."""
    config = load_cloud(Path(sys.argv[1]))
    dial = Dial(Path(sys.argv[2]))
    stopping = stop.install()
    logs.setup("reconcile", config.log.level)
    loop.Clock = partial(Clock, dial.wall, dial.mono)  # type: ignore[misc,assignment]
    timed = partial(assembly.LibvirtProvider, clock=dial.wall)
    assembly.LibvirtProvider = timed  # type: ignore[misc,assignment]
    process = app.ReconcileProcess(config)
    process.start()
    stopping.wait()
    process.stop()


if __name__ == "__main__":
    main()
