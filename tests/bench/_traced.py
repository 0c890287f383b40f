"""A room that notes when a signal passes each hand-over: `-m tests.bench._traced CONFIG OUT`.

The product is wrapped from outside, so that it carries no probe of its own. Each note costs under a
microsecond; they are written to OUT (JSON: [instant in ns, place] of the system's monotonic clock)
when the room ends.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho

from edge.actuators.mqtt import MqttDriver
from edge.app import Appliance
from edge.cli import main
from edge.decide.step import Core
from edge.inbox import Inbox
from edge.journal.store import Store
from edge.journal.writer import Journal
from edge.plugins.host import PluginHost
from edge.plugins.runner import Runner
from edge.signals.nodes import NodeSource

Call = Callable[..., Any]
notes: list[tuple[int, str]] = []


def note(place: str) -> None:
    notes.append((time.monotonic_ns(), place))


def around(owner: type, name: str, begin: str = "", end: str = "") -> None:
    """Note `begin` before and `end` behind every call of owner.name; "" is not noted."""
    wrapped: Call = getattr(owner, name)

    def call(*args: Any, **more: Any) -> Any:
        if begin:
            note(begin)
        result = wrapped(*args, **more)
        if end:
            note(f"{end} {type(result).__name__}" if name == "take" else end)
        return result

    setattr(owner, name, call)


def wrap() -> None:
    """Put the notes around what one signal passes, in its order."""
    around(NodeSource, "_on_message", "arrives", "handler ends")
    around(Inbox, "post", "post", "posted")
    around(Inbox, "take", end="taken")
    around(Core, "step", "step begins", "step ends")
    around(Journal, "append", "append", "appended")
    around(PluginHost, "submit", "submit", "submitted")
    around(Runner, "call", "plugin begins", "plugin ends")
    around(Appliance, "_watch", "watch begins", "watch ends")
    around(Store, "commit", "commit begins", "commit ends")
    around(MqttDriver, "apply", "released", "applied")
    around(paho.Client, "_sock_send", "written")


def write_at_the_end(out: Path) -> None:
    """Write the notes when the room stops: its process ends without coming back here."""
    stop: Call = Appliance.stop

    def stopped(room: Appliance) -> None:
        stop(room)
        out.write_text(json.dumps(notes))

    Appliance.stop = stopped  # type: ignore[method-assign]


if __name__ == "__main__":
    write_at_the_end(Path(sys.argv.pop()))
    wrap()
    main(["run", sys.argv[1]])
