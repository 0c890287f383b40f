"""JSON Schema of everything that crosses a boundary: `python -m edge.contracts.schema OUT_DIR`."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import msgspec

from edge.contracts import commands, decision, plugin, signals
from edge.contracts.topics import TOPICS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def boundary_types() -> Mapping[str, object]:
    """Return file name (without .json) -> type of every message there is, in a fixed order."""
    types: dict[str, object] = {
        file_name(topic.type): topic.type for topic in sorted(TOPICS, key=lambda t: t.pattern)
    }
    types["signal"] = signals.Signal
    for signal in get_args(signals.Signal):
        types[f"signal-{signal.__struct_config__.tag}"] = signal
    for kind in (
        plugin.PluginInput,
        plugin.PluginOutput,
        commands.Command,
        commands.CalendarWrite,
        commands.Proposal,
        commands.Verdict,
        decision.Decision,
    ):
        types[file_name(kind)] = kind
    return types


def file_name(kind: type) -> str:
    """Return WantedMessage as wanted-message."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()


def _anything(kind: type) -> dict[str, object]:
    if kind is object:
        return {"description": "any JSON value"}
    raise NotImplementedError(f"{kind} has no JSON Schema")


def schemas() -> dict[str, bytes]:
    """Return file name -> JSON Schema text, the same bytes for the same contracts."""
    made = {}
    for name, kind in boundary_types().items():
        schema = {"$schema": DIALECT, **msgspec.json.schema(kind, schema_hook=_anything)}
        text = msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2)
        made[f"{name}.json"] = text + b"\n"
    return made


def write(folder: Path) -> None:
    """Write every schema into `folder` and remove those of messages that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    made = schemas()
    for old in folder.glob("*.json"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_bytes(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m edge.contracts.schema OUT_DIR")
    write(Path(sys.argv[1]))
