"""Golden events: `golden/*.json` says which input must give which output."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.contracts.commands import PluginCommand
from edge.contracts.plugin import PluginOutput
from edge.plugins.errors import GuestError
from edge.plugins.selftest import GoldenEvent
from edge.workshop.errors import WorkshopError
from edge.workshop.trial import Trial


class Golden(GoldenEvent, frozen=True, forbid_unknown_fields=True):
    """As a room reads it before it lets a version in; here the output may still be missing."""

    output: PluginOutput = PluginOutput()


@dataclass(frozen=True, slots=True)
class Checked:
    """What a golden file came to. differences: lines, none when it is answered as expected."""

    file: Path
    title: str
    differences: tuple[str, ...]
    unanswered: tuple[str, ...]


def check(folder: Path, trial: Trial, accept: bool = False) -> Iterator[Checked]:
    """Yield each golden file of `folder` compared with what the plugin answers now.

    accept: write what it answers into the file; then nothing differs.
    """
    for file in sorted((folder / "golden").glob("*.json")):
        golden = read(file)
        try:
            answer = trial.ask(golden.input)
        except GuestError as error:
            yield Checked(file, golden.title, (f"no answer: {error}",), ())
            continue
        answered = {command.event for command in answer.commands}
        silent = tuple(e.id for e in golden.input.events if e.id not in answered)
        found = tuple(differences(golden.output, answer))
        if accept and found:
            _write(file, answer)
        yield Checked(file, golden.title, () if accept else found, silent)


def differences(old: PluginOutput, new: PluginOutput) -> Iterator[str]:
    """Yield a line for everything that went, came or changed from `old` to `new`."""
    gone = [command for command in old.commands if command not in new.commands]
    come = [command for command in new.commands if command not in old.commands]
    for command in gone:
        yield f"- {command.event}: {words(command)}"
    for command in come:
        yield f"+ {command.event}: {words(command)}"
    if not (gone or come) and old.commands != new.commands:
        yield "~ the same commands in another order or number"
    if old.state != new.state:
        yield f"- state {old.state}"
        yield f"+ state {new.state}"


def words(command: PluginCommand) -> str:
    """Return a command as a person reads it."""
    value = command.value
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    reason = f"  ({command.reason})" if command.reason else ""
    return f"{command.actuator} = {shown} for {command.lease_s:g} s{reason}"


def read(file: Path) -> Golden:
    """Return a golden file; WorkshopError names what is wrong with it."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Golden)
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        raise WorkshopError(f"{file}: {error}") from error


def _write(file: Path, answer: PluginOutput) -> None:
    """Change the file's output alone: what its author wrote stays as written."""
    document = json.loads(file.read_bytes())
    document["output"] = msgspec.to_builtins(answer)
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
