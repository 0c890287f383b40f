"""The guide: complete, true, and followed word for word in an empty folder."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from edge.contracts.commands import PluginCommand
from edge.contracts.plugin import EventKind, PluginEvent, PluginInput, PluginOutput
from edge.plugins.answer import COMMANDS_PER_EVENT, LEASE_LIMIT_S, TEXT_LIMIT
from edge.plugins.commands import plugin
from edge.plugins.manifest import Actuator, Limits, Manifest, Setting
from edge.plugins.queue import BATCH
from tests.workshop.authors import TOOLS, needs
from tests.world.places import ROOT

GUIDE = (ROOT / "docs" / "plugins.md").read_text()
STRUCTS = (PluginInput, PluginEvent, PluginCommand, Limits, Actuator, Setting, Manifest)
SHIM = 'roomkeeper-edge() { "$PYTHON" -c "from edge.cli import main; main()" "$@"; }\n'


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_field_is_explained(struct: type[msgspec.Struct]) -> None:
    left_out = {"limits", "actuators", "settings"} if struct is Manifest else set()
    for field in msgspec.structs.fields(struct):
        if field.encode_name not in left_out:
            assert f"`{field.encode_name}`" in GUIDE, f"{struct.__name__}.{field.encode_name}"
    assert {field.name for field in msgspec.structs.fields(PluginOutput)} == {
        "commands", "state", "schema",
    }  # fmt: skip


def test_every_kind_of_event_is_named() -> None:
    assert [kind for kind in get_args(EventKind) if f"`{kind}`" not in GUIDE] == []


def test_limits_are_those_of_the_host() -> None:
    for field in msgspec.structs.fields(Limits):
        row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{field.name}` |"))
        assert f"| {field.default} |" in row
        for meta in getattr(field.type, "__metadata__", ()):
            assert f"{meta.ge} to " in row
            assert str(meta.le) in row
    for text in (
        f"at most {BATCH} at once", f"more than {COMMANDS_PER_EVENT} commands",
        f"texts over {TEXT_LIMIT} bytes", f"a lease over {LEASE_LIMIT_S:g} s",
    ):  # fmt: skip
        assert text in GUIDE


def test_every_command_of_an_author_stands_in_the_guide() -> None:
    assert [name for name in plugin.commands if f"plugin {name}" not in GUIDE] == []


def test_zig_knows_every_field_of_an_event() -> None:
    sdk = (ROOT / "wasm_modules" / "sdk" / "zig" / "roomkeeper.zig").read_text()
    event = sdk.split("pub const Event = struct {")[1].split("};")[0]
    fields = {field.encode_name for field in msgspec.structs.fields(PluginEvent)}
    assert set(re.findall(r"(?m)^    (\w+):", event)) == fields


@pytest.mark.slow
def test_followed_word_for_word(tmp_path: Path) -> None:
    needs(*TOOLS["c"])
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```", GUIDE)
    assert len(blocks) >= 3
    given = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", SHIM + "".join(blocks)],
        cwd=tmp_path, env=given, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "BAD" not in done.stdout
    assert "desk-lamp 0.1.1 is signed by" in done.stdout
    held = json.loads((tmp_path / "desk-lamp" / "golden" / "held.json").read_bytes())
    assert held["output"]["commands"][0]["value"] == 35
