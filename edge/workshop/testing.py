"""`plugin test`: golden events, and recordings lived through again."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from edge.contracts.base import Value
from edge.journal import JournalError, open_reader
from edge.plugins.install import InstalledPlugin
from edge.workshop.caches import compiled
from edge.workshop.errors import WorkshopError
from edge.workshop.golden import check
from edge.workshop.report import Report
from edge.workshop.trial import Trial, read_plugin, stale
from edge.workshop.whatif import WhatIf

Echo = Callable[[str], None]


def golden(folder: Path, accept: bool, echo: Echo) -> int:
    """Check (or accept) the golden events; return how many are answered otherwise."""
    plugin = _plugin(folder, echo)
    trial = Trial(
        plugin, lambda level, message: echo(f"     it says {level}: {message}"), cache=compiled()
    )
    wrong = checked = 0
    try:
        for found in check(folder, trial, accept):
            checked += 1
            wrong += bool(found.differences)
            echo(f"{'BAD ' if found.differences else 'ok  '} {found.file.name}: {found.title}")
            for line in found.differences:
                echo(f"     {line}")
            for ident in found.unanswered:
                echo(f"     event {ident} is not answered: every event wants a command")
    finally:
        trial.close()
    if not checked:
        echo(f"no golden events: {folder}/golden holds no *.json")
    return wrong


def recorded(
    folder: Path, journal: Path, chosen: Mapping[str, Value], everything: bool, echo: Echo
) -> Report:
    """Live through a recording with this build and show what comes out otherwise."""
    report = Report()
    try:
        with open_reader(journal) as reader:
            trial = Trial(_plugin(folder, echo), cache=compiled())
            try:
                run = WhatIf(trial, chosen)
                for found in run.run(reader.read()):
                    report.take(found)
            finally:
                trial.close()
    except JournalError as error:
        raise WorkshopError(str(error)) from error
    except msgspec.MsgspecError as error:
        raise WorkshopError(f"{journal}: {error}") from error
    if not run.boots:
        raise WorkshopError(f"{journal} records no start: there is nothing to live through")
    manifest = trial.plugin.manifest
    then = f"{manifest.id} {run.recorded_version}" if run.recorded_version else "another version"
    echo(f"{journal}: {then} recorded, {manifest.id} {manifest.version} on the bench")
    for line in report.lines(everything):
        echo(line)
    return report


def _plugin(folder: Path, echo: Echo) -> InstalledPlugin:
    plugin = read_plugin(folder)
    newer = stale(folder, plugin)
    if newer:
        echo(f"note: {newer} is newer than {plugin.manifest.module}: build it to test what it says")
    return plugin
