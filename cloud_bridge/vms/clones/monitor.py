"""QEMU's monitor (QMP): stop a template and save it, load the copy and see it run."""

import json
import shlex
import time
from pathlib import Path

from cloud_bridge.vms.base import VmError
from cloud_bridge.vms.clones.lines import Lines

CAPABILITIES = [
    {"capability": "x-ignore-shared", "state": True},
    {"capability": "events", "state": True},
]
"""Memory in a file that both name is not part of what is saved, and its end is told."""
BANDWIDTH = 1 << 40
PART = ".part"
WRITE_S, LOOK_S = 10.0, 0.01
"""How long the last of a state may take to its file, and how often is looked."""


class Monitor:
    """One conversation with a QEMU."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._events: list[dict[str, object]] = []
        self._read()  # its greeting
        self.do("qmp_capabilities")

    def do(self, command: str, **arguments: object) -> object:
        """Return what the command returns; raise VmError with QEMU's own words."""
        self._lines.send(json.dumps({"execute": command, "arguments": arguments}))
        while True:
            said = self._read()
            if "return" in said:
                return said["return"]
            if "error" in said:
                error = said["error"]
                raise VmError(f"QEMU refuses {command}: {error}")
            self._events.append(said)

    def save(self, state: Path) -> None:
        """Stop the guest and write all but its memory to `state`, wholly or not at all."""
        self.do("stop")
        self.do("migrate-set-capabilities", capabilities=CAPABILITIES)
        self.do("migrate-set-parameters", **{"max-bandwidth": BANDWIDTH})
        # QEMU has sent it all when it says so, and does not look at what became of it.
        part, whole = shlex.quote(f"{state}{PART}"), shlex.quote(str(state))
        self.do("migrate", uri=f"exec:cat>{part} && mv {part} {whole}")
        self._moved("saved")
        ends = time.monotonic() + WRITE_S
        while not state.exists():
            if time.monotonic() > ends:
                raise VmError(f"a guest's state is not whole: is there room in {state.parent}?")
            time.sleep(LOOK_S)

    def load(self, state: Path) -> None:
        """Read `state` into a QEMU that waits for it; the guest runs when this returns."""
        self.do("migrate-set-capabilities", capabilities=CAPABILITIES)
        self.do("migrate-incoming", uri=f"exec:cat {shlex.quote(str(state))}")
        self._moved("loaded")
        self.do("cont")  # it was stopped when it was saved, and so it is now

    def _moved(self, what: str) -> None:
        """Return when the state has gone through; raise VmError when it does not."""
        while True:
            said = self._events.pop(0) if self._events else self._read()
            data = said.get("data")
            status = data.get("status") if isinstance(data, dict) else None
            if said.get("event") == "MIGRATION" and status == "completed":
                return
            if said.get("event") == "MIGRATION" and status in ("failed", "cancelled"):
                raise VmError(f"a guest's state is not {what}: QEMU says {status}")

    def _read(self) -> dict[str, object]:
        try:
            said = json.loads(self._lines.read())
        except ValueError as error:
            raise VmError(f"QEMU's monitor says no JSON: {error}") from error
        if not isinstance(said, dict):
            raise VmError(f"QEMU's monitor says {said!r}")
        return said
