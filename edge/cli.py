"""roomkeeper-edge: run a room, check it, and read what it did."""

import gc
import os
import sys
import time
from pathlib import Path

import click
import msgspec
import structlog

from edge.audit import UNREADABLE
from edge.audit import explain as explained
from edge.commands.devices import devices as devices_group
from edge.commands.intents import intents as intents_group
from edge.commands.policy import beside as policy_schema
from edge.commands.policy import policy as policy_group
from edge.commands.policy import problems as policy_problems
from edge.commands.versions import COMMANDS as VERSIONS
from edge.config import ConfigError, RoomConfig, load_intents, load_policy, load_room
from edge.contracts.base import Now
from edge.journal import JournalError, StoredRow, open_reader
from edge.journal import verify as verify_journal
from edge.plugins.commands import plugin
from edge.plugins.host import SWITCH_S
from edge.process import logs, stop
from edge.replay import replay as replayed
from edge.timeline import Line, Timeline
from edge.workshop.commands import COMMANDS as WORKSHOP

log = structlog.get_logger()

CONFIG = click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
JOURNAL = click.argument("journal", type=click.Path(path_type=Path, dir_okay=False))


class Failure(click.ClickException):
    """A command that could not do what it was asked; exit code 1."""


@click.group()
@click.version_option(package_name="roomkeeper")
def main() -> None:
    """Run a meeting room, and see why it did what it did."""


main.add_command(plugin)
main.add_command(intents_group)
main.add_command(devices_group)
main.add_command(policy_group)
for _command in (*WORKSHOP, *VERSIONS):
    plugin.add_command(_command)


@main.command()
@CONFIG
def run(config: Path) -> None:
    """Run the room described by CONFIG (room.toml) until SIGTERM or Ctrl-C."""
    from edge.app import Appliance  # noqa: PLC0415 - other commands need no TFLite, no OpenCV

    stopping = stop.install()
    room = _config(config)
    logs.setup("edge", room.log.level)
    try:
        appliance = Appliance(room, anew=stopping.set)
    except (ConfigError, JournalError) as error:
        raise Failure(str(error)) from error
    # A plugin that spins must hand over the interpreter lock in time for the loop to go on.
    sys.setswitchinterval(SWITCH_S)
    code = 0
    try:
        gc.collect()  # before it: it stops every thread for some 50 ms
        appliance.start()
        # Nearly all that stands by now lives until the end. To look through it again and again for
        # what nobody holds any more would stop the room for as long each time.
        gc.freeze()
        # Python sees a signal that comes just before a wait only once that wait is over.
        while not stopping.wait(0.5):
            continue
    except Exception:
        log.exception("the room cannot run")
        code = 1
    try:
        appliance.stop()
    except Exception:
        log.exception("the room did not stop cleanly")
        code = 1
    # What is to be saved is saved. A thread that hangs in a driver's call would keep the
    # interpreter for ever.
    sys.stderr.flush()
    os._exit(code)


@main.command("check-config")
@CONFIG
def check_config(config: Path) -> None:
    """Check CONFIG and the files it names; say what is wrong, where, and what is allowed."""
    room = _config(config)
    try:
        intents = load_intents(Path(room.intents.file), room)
        policy = Path(room.policy.file)
        schema = policy_schema(policy)
        wrong = policy_problems(load_policy(policy), schema if os.path.exists(schema) else None)
    except ConfigError as error:
        raise Failure(str(error)) from error
    if wrong:
        raise Failure("\n".join(f"{policy}: {problem}" for problem in wrong))
    names = ", ".join(intent.name for intent in intents)
    click.echo(f"{config}: room {room.room.id}, {len(room.actuators)} actuators, intents {names}")


@main.command()
@CONFIG
def doctor(config: Path) -> None:
    """Check what CONFIG needs: devices, brokers, calendar, clock, models, disk, plugins."""
    from edge.doctor import examine  # noqa: PLC0415

    logs.quiet()
    findings = examine(_config(config))
    for finding in findings:
        mark = click.style("ok  ", fg="green") if finding.ok else click.style("BAD ", fg="red")
        click.echo(f"{mark} {finding.name}: {finding.detail}")
        if not finding.ok:
            click.echo(f"       {finding.advice}")
    if not all(finding.ok for finding in findings):
        sys.exit(1)


@main.group()
def audit() -> None:
    """Prove a journal."""


@audit.command()
@JOURNAL
def verify(journal: Path) -> None:
    """Prove that JOURNAL's rows are those that were written, all of them, in that order."""
    try:
        found = verify_journal(journal)
    except JournalError as error:
        raise Failure(str(error)) from error
    if not found.ok:
        raise Failure(f"{journal}: row {found.bad_seq}: {found.problem}")
    click.echo(f"{journal}: {found.rows} rows, unbroken, head {found.head}")


@main.command()
@JOURNAL
@click.argument("ident", metavar="ID")
def explain(journal: Path, ident: str) -> None:
    """Explain ID, as `watch` shows it: what the room knew, who wanted what, who decided."""
    try:
        with open_reader(journal) as reader:
            lines = list(explained(reader.read(), ident))
    except JournalError as error:
        raise Failure(str(error)) from error
    if not lines:
        raise Failure(f"{journal} knows no {ident}: `roomkeeper-edge watch` shows the ids")
    click.echo("\n".join(lines))


@main.command()
@JOURNAL
def replay(journal: Path) -> None:
    """Make JOURNAL's decisions again from its signals and compare them byte for byte."""
    from edge.assembly import build_core  # noqa: PLC0415

    try:
        with open_reader(journal) as reader:
            found = replayed(reader.read(), build_core)
    except (JournalError, msgspec.MsgspecError) as error:
        raise Failure(f"{journal}: {error}") from error
    click.echo(
        f"{journal}: {found.boots} starts, {found.signals} signals, "
        f"{found.decisions} decisions, {len(found.different)} different"
    )
    if not found.same:
        first = ", ".join((found.different + found.unreadable)[:5]) or "no start is recorded"
        raise Failure(f"not the same: {first}")


@main.command()
@JOURNAL
@click.option("--follow/--once", default=True, help="Keep watching, or stop at the last row.")
@click.option(
    "--after", type=click.IntRange(0, 2**63 - 1), default=0, help="Begin behind this row."
)
def watch(journal: Path, follow: bool, after: int) -> None:
    """Show JOURNAL as a timeline: signals, decisions with their reason, commands, machines."""
    stopping = stop.install()
    timeline = Timeline()
    try:
        with open_reader(journal) as reader:
            while True:
                for row in reader.read(after):
                    after = row.seq
                    for line in _shown(timeline, row):
                        click.echo(line)
                if not follow or stopping.wait(0.2):
                    return
    except JournalError as error:
        raise Failure(str(error)) from error


COLOURS = {
    "signal": "cyan",
    "decision": "white",
    "command": "green",
    "refused": "red",
    "calendar": "blue",
    "machine": "magenta",
    "fault": "yellow",
}


def painted(line: Line, now: Now, since: float | None = None) -> str:
    """Return the line for a terminal, with local time or seconds since `since`."""
    when = time.strftime("%H:%M:%S", time.localtime(now.wall))
    if since is not None:
        when = f"{now.wall - since:+7.1f}s"
    sort = click.style(f"{line.kind:<8}", fg=COLOURS[line.kind])
    return f"{when}  {sort}  {line.who:<16} {line.text}  " + click.style(line.id, dim=True)


def _shown(timeline: Timeline, row: StoredRow) -> list[str]:
    """Return a row's lines for a terminal; of one that was damaged, that it was."""
    try:
        lines = timeline.lines(row.kind, row.id, row.body or b"")
        return [painted(line, row.now) for line in lines]
    except UNREADABLE:
        return [f"row {row.seq} cannot be read"]


def _config(path: Path) -> RoomConfig:
    try:
        return load_room(path)
    except ConfigError as error:
        raise Failure(str(error)) from error


if __name__ == "__main__":
    main()
