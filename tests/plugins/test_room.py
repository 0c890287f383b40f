"""Plugins in a real room's process with its journal: hostile ones, and a change of one."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge.assembly import build_core
from edge.contracts.decision import Decision
from edge.contracts.signals import (
    PluginAnswered,
    PluginFailed,
    Signal,
    SourceChanged,
    decode_signal,
)
from edge.journal import JournalError, open_reader, verify
from edge.plugins.signature import keygen
from edge.replay import replay
from tests.plugins.guests import KEYS, ROOT, SHIPPED, Maker, component
from tests.plugins.hostile_guest import CASES, LIMITS, hostile, named
from tests.world.bare import LAMP, NO_PANEL, NOTHING_TO_SEE, write_bare
from tests.world.probes import healthy
from tests.world.waiting import until

START = "from edge.cli import main; main()"
PLUGINS = """
[plugins]
folder = "plugins"
keys = "keys"
enabled = {enabled}
"""


class Room:
    """A room of its own process, with no broker and no calendar, that runs what is in `plugins`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.maker = folder, Maker(folder)
        self.plugins = folder / "plugins"
        shutil.copy(KEYS / "roomkeeper.pub", self.maker.keys)
        shutil.copytree(SHIPPED / "lights", self.plugins / "lights")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *enabled: str) -> None:
        plugins = PLUGINS.format(enabled=json.dumps(["lights", *enabled]))
        config, self.health = write_bare(self.folder, LAMP, NOTHING_TO_SEE, plugins, NO_PANEL)
        with (self.folder / "edge.log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, "run", str(config)], cwd=ROOT, stderr=log
            )

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    @property
    def log(self) -> str:
        return (self.folder / "edge.log").read_text()

    def bodies(self, kind: str) -> list[bytes]:
        try:
            with open_reader(self.folder / "room.journal") as reader:
                return [row.body for row in reader.read() if row.kind == kind and row.body]
        except JournalError:
            # Not begun yet.
            return []

    def signals(self) -> list[Signal]:
        return [decode_signal(body) for body in self.bodies("signal")]

    def decisions(self) -> list[Decision]:
        return [msgspec.json.decode(body, type=Decision) for body in self.bodies("decision")]

    def healthy(self) -> bool:
        return healthy(self.health)

    def replayed(self) -> None:
        assert verify(self.folder / "room.journal").ok
        with open_reader(self.folder / "room.journal") as reader:
            found = replay(reader.read(), build_core)
        assert found.same, found


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.stop()
    print(room.log)


def told(room: Room, source: str) -> list[str]:
    """Return what the journal holds of a source's health, oldest first."""
    changes = [s for s in room.signals() if isinstance(s, SourceChanged) and s.source == source]
    return [f"{change.health}: {change.reason}" for change in changes]


def answers(room: Room) -> list[str]:
    """Return the state in each answer of the plugin "guest": the version that gave it."""
    found = [s for s in room.signals() if isinstance(s, PluginAnswered)]
    return [answer.state for answer in found if answer.source == "plugin:guest"]


def test_every_hostile_plugin_is_named_in_the_journal_and_the_room_goes_on(room: Room) -> None:
    for case in CASES:
        name = named(case)
        room.maker.write(
            room.plugins / name, wasm=hostile(case), name=name, events=("tick",), more=LIMITS
        )
    room.start(*map(named, CASES))
    sources = {f"plugin:{named(case)}": says for case, says in CASES.items()}

    def untold() -> dict[str, list[str]]:
        found = reasons(room)
        # A machine that leaves a guest no time says so first, and asks it again.
        return {
            source: found.get(source, [])
            for source, says in sources.items()
            if not any(says in reason for reason in found.get(source, []))
        }

    try:
        until(lambda: not untold(), 60, "every hostile plugin is in the journal")
    finally:
        print(untold())
    # The lights go on being asked and answering, and the loop goes on.
    # They stand last in the round, so the first round's answer may still be on its way.
    until(lambda: any(map(from_lights, room.signals())), 60, "the lights answer")
    before = len([s for s in room.signals() if from_lights(s)])
    until(lambda: len([s for s in room.signals() if from_lights(s)]) > before, 60)
    assert room.healthy()
    room.stop()
    room.replayed()


def _tampered(room: Room) -> dict[str, str]:
    """Write plugins that somebody changed or made elsewhere; return what is said of each."""
    said = {
        "module": "has sha256",
        "manifest": "was changed after signing",
        "unsigned": "is not signed",
        "stranger": "which is not pinned",
        "wasi": "a plugin gets only log",
        "cut": "does not load",
    }
    for name in said:
        home, wasm = room.plugins / name, None
        if name == "wasi":
            wasm = component(name=name, extra='(import "wasi:cli/exit@0.2.0" (instance))')
        if name == "cut":
            wasm = component(name=name)[:200]
        key = keygen() if name == "stranger" else None
        room.maker.write(home, name=name, wasm=wasm, key=key, events=("tick",))
    (room.plugins / "module/guest.wasm").write_bytes(component())
    manifest = room.plugins / "manifest/plugin.toml"
    manifest.write_text(manifest.read_text().replace("max = 100.0", "max = 900.0"))
    (room.plugins / "unsigned/plugin.toml.minisig").unlink()
    return said


def test_what_was_tampered_with_never_runs_and_the_journal_says_so(room: Room) -> None:
    said = _tampered(room)
    room.maker.write(room.plugins / "guest", "2.0.0", events=("tick",))
    room.start("guest", *said)
    until(lambda: answers(room)[:1] == ["2.0.0"], 30)
    for name, says in said.items():
        until(lambda: any(says in line for line in complaints(room, name)), 30, name)  # noqa: B023
    room.stop()
    # What is older, and a compiled module that somebody wrote over, at the next start.
    room.maker.write(room.plugins / "guest", "1.0.0", events=("tick",))
    for entry in (room.folder / "room.plugins/compiled").glob("*.compiled"):
        entry.write_bytes(entry.read_bytes()[:-1000])
    room.start("guest")
    until(lambda: len(answers(room)) > 1, 30)
    assert set(answers(room)) == {"2.0.0"}
    until(lambda: any("cut short" in line for line in told(room, "plugin:guest")), 30)
    until(lambda: any("older than 2.0.0" in line for line in told(room, "plugin:guest")), 30)
    assert room.healthy()


def complaints(room: Room, name: str) -> list[str]:
    failed = [s for s in room.signals() if isinstance(s, PluginFailed)]
    return [s.reason for s in failed if s.source == f"plugin:{name}"] + told(room, f"plugin:{name}")


def from_lights(signal: Signal) -> bool:
    return isinstance(signal, PluginAnswered) and signal.source == "plugin:lights"


def reasons(room: Room) -> dict[str, list[str]]:
    """Return what the journal says against each plugin: failures, and refused commands."""
    found: dict[str, list[str]] = {}
    for signal in room.signals():
        if isinstance(signal, PluginFailed):
            found.setdefault(signal.source, []).append(signal.reason)
    for decision in room.decisions():
        for verdict in decision.verdicts:
            if not verdict.allowed:
                found.setdefault(verdict.source, []).append(verdict.reason)
    return found


def test_a_new_version_with_other_rights_takes_over_and_the_journal_replays(room: Room) -> None:
    home = room.plugins / "guest"
    room.maker.write(home, "1.0.0", events=("tick",))
    room.start("guest")
    until(lambda: "1.0.0" in answers(room), 30)
    room.maker.write(home, "1.1.0", events=("tick", "presence"))
    until(lambda: "ok: runs 1.1.0: installed" in told(room, "plugin:guest"), 30)
    # Its next tick.
    until(lambda: answers(room)[-1] == "1.1.0", 60)
    assert room.healthy()
    room.stop()
    room.replayed()
    with open_reader(room.folder / "room.journal") as reader:
        boots = [row.id for row in reader.read() if row.kind == "boot"]
    assert boots == ["alone-1", "alone-1.1"]
    # The next start runs what was installed.
    before = len(answers(room))
    room.start("guest")
    until(lambda: len(answers(room)) > before, 30)
    assert answers(room)[-1] == "1.1.0"
    room.stop()
    room.replayed()
