"""The settings of a room with little around it: what a test adds or replaces is all it must say."""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.world.mosquitto import free_port
from tests.world.places import BIN, ROOT

LAMP = """
[[actuators]]
name = "light.main"
driver = "mqtt"
device = "lamp"
field = "brightness"
min = 0.0
max = 100.0
fallback = 0
"""
NO_PLUGINS = """
[plugins]
enabled = []
"""
NO_PANEL = """
[panel]
enabled = false
"""
NOTHING_TO_SEE = """
[camera]
device = "/dev/video97"
[microphone]
device = "no such microphone"
"""
ROOM = """
nodes = {nodes}
[room]
id = "{room}"
{more_of_room}
[broker]
port = {broker}
[site]
port = {nobody}
[calendar]
url = "http://127.0.0.1:{nobody}/none/"
[policy]
file = "{root}/config/policies/room.cedar"
[intents]
file = "intents.toml"
[journal]
path = "room.journal"
[clock]
always_trust = true
[health]
port = {health}
"""


def write_bare(
    folder: Path,
    *parts: str,
    room: str = "alone",
    nodes: Sequence[str] = (),
    broker: int | None = None,
    health: int | None = None,
    more_of_room: str = "",
) -> tuple[Path, int]:
    """Write a room's files; return its configuration and the port of its health page.

    parts: tables of its own (devices, plugins, panel ...); broker: None for one that is away. Its
    service and its calendar are always away.
    """
    health = health or free_port()
    nobody = free_port()
    text = ROOM.format(
        nodes=json.dumps(list(nodes)),
        room=room,
        more_of_room=more_of_room,
        broker=broker or nobody,
        nobody=nobody,
        health=health,
        root=ROOT,
    )
    config = folder / "room.toml"
    config.write_text(text + "".join(parts))
    (folder / "intents.toml").write_text('[intent.default]\ntitle = "Meeting"\n')
    return config, health


def run_line(config: Path) -> list[str]:
    """Return the command that runs it."""
    return [str(BIN / "roomkeeper-edge"), "run", str(config)]
