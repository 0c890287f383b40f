"""A reconciler that is killed at one exact point: CONFIG POINT.

The kill is the test's, not its own.

asked: written down, the hypervisor not asked yet; made: the machine is made, nobody wrote it down;
recorded: written down too; ended: ended, still written down.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloud_bridge.app import ReconcileProcess
from cloud_bridge.config import load_cloud
from cloud_bridge.store import MachineStore
from cloud_bridge.vms.libvirt import LibvirtProvider
from edge.process import logs, stop

POINTS: dict[str, tuple[type, str, Callable[[dict[str, Any]], bool]]] = {
    "asked": (MachineStore, "intend", lambda told: not told["begun"]),
    "made": (LibvirtProvider, "ensure", lambda _told: True),
    "recorded": (MachineStore, "intend", lambda told: bool(told["begun"])),
    "ended": (LibvirtProvider, "delete", lambda _told: True),
}


def die_after(owner: type, name: str, here: Callable[[dict[str, Any]], bool]) -> None:
    """Let the process be killed as soon as a call has come back."""
    real = getattr(owner, name)

    def last(*args: Any, **told: Any) -> Any:
        answer = real(*args, **told)
        if here(told):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, last)


def main() -> None:
    """Run until the point is reached."""
    config = load_cloud(Path(sys.argv[1]))
    stopping = stop.install()
    logs.setup("reconcile", config.log.level)
    die_after(*POINTS[sys.argv[2]])
    process = ReconcileProcess(config)
    process.start()
    stopping.wait()
    process.stop()


if __name__ == "__main__":
    main()
