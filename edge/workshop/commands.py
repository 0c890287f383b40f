"""`roomkeeper-edge plugin new|build|...`: what a plugin's author calls."""

import tomllib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from edge.contracts.base import Value
from edge.workshop.build import LANGUAGES, build_into
from edge.workshop.errors import WorkshopError
from edge.workshop.new import new

P = ParamSpec("P")
R = TypeVar("R")

FOLDER = click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))


def plainly(command: Callable[P, R]) -> Callable[P, R]:
    """Let an error of the workshop be one line for the author, not a trace."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except WorkshopError as error:
            raise click.ClickException(str(error)) from error

    return run


@click.command("new")
@click.argument("name")
@click.option("--language", type=click.Choice(list(LANGUAGES)), default="c", show_default=True)
@click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False), default=Path(), show_default=True,
    help="Folder the plugin's own folder is made in.",
)  # fmt: skip
@plainly
def new_command(name: str, language: str, into: Path) -> None:
    """Make the folder of a new plugin NAME: source, manifest, golden events, README."""
    folder = new(name, language, into)
    click.echo(f"{folder}: a plugin in {language}; next: roomkeeper-edge plugin build {folder}")


@click.command("build")
@FOLDER
@plainly
def build_command(folder: Path) -> None:
    """Compile the plugin in FOLDER and write its hash into plugin.toml."""
    from edge.workshop.caches import compilers  # noqa: PLC0415 - needs the sandbox

    built = build_into(folder, compilers())
    rest = "sign it again" if built.changed else "as it was"
    click.echo(f"{built.module}: {built.size} bytes, {rest}")


@click.command("permit")
@FOLDER
@plainly
def permit_command(folder: Path) -> None:
    """Print the policy (Cedar) that lets the plugin in FOLDER move what its manifest names."""
    from edge.workshop.stage import permit  # noqa: PLC0415 - needs the sandbox
    from edge.workshop.trial import read_manifest  # noqa: PLC0415

    click.echo("\n" + permit(read_manifest(folder)), nl=False)


@click.command("test")
@FOLDER
@click.option("--accept", is_flag=True, help="Write what the plugin answers now as expected.")
@click.option(
    "--journal",
    "journals",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A recorded journal to live through again with this build; may be given more than once.",
)
@click.option("--set", "chosen", multiple=True, metavar="KEY=VALUE", help="A setting, as in TOML.")
@click.option("--all", "everything", is_flag=True, help="Show every difference.")
@plainly
def test_command(
    folder: Path, accept: bool, journals: tuple[Path, ...], chosen: tuple[str, ...],
    everything: bool,
) -> None:  # fmt: skip
    """Try the plugin in FOLDER: golden events, and what it changes in recorded journals.

    Exit code 1 when a golden event is answered otherwise; a change in a journal is only shown.
    """
    from edge.workshop.testing import golden, recorded  # noqa: PLC0415 - needs the sandbox

    wrong = golden(folder, accept, click.echo)
    for journal in journals:
        recorded(folder, journal, settings(chosen), everything, click.echo)
    if wrong:
        raise click.ClickException(f"{wrong} golden events are answered otherwise than expected")


def settings(chosen: tuple[str, ...]) -> dict[str, Value]:
    """Return KEY=VALUE pairs with their TOML values; a bare word is a text."""
    found: dict[str, Value] = {}
    for pair in chosen:
        key, sign, text = pair.partition("=")
        if not sign:
            raise WorkshopError(f"--set {pair}: write KEY=VALUE")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        if not isinstance(value, Value):
            raise WorkshopError(f"--set {pair}: a setting is a number, a text or true or false")
        found[key] = value
    return found


@click.command("dev")
@FOLDER
@click.option(
    "--speed",
    default=120.0,
    show_default=True,
    type=click.FloatRange(0.1, 5000.0),
    help="Simulated seconds a second.",
)
@click.option(
    "--from",
    "begin_h",
    default=7.5,
    show_default=True,
    type=click.FloatRange(7.5, 19.0),
    help="Local hour at which the day begins.",
)
@click.option("--once", is_flag=True, help="End when the day is over.")
@plainly
def dev_command(folder: Path, speed: float, begin_h: float, once: bool) -> None:
    """Let the plugin in FOLDER live in a made-up room; it is rebuilt whenever it changes.

    Nothing is written: build it when you are content. Ctrl-C ends it.
    """
    from edge.workshop.dev import run  # noqa: PLC0415 - needs the sandbox

    run(folder, speed, begin_h, once, click.echo)


@click.command("bench")
@FOLDER
@click.option("--calls", default=2000, show_default=True, type=click.IntRange(20, 1_000_000))
@plainly
def bench_command(folder: Path, calls: int) -> None:
    """Measure the plugin in FOLDER: time, memory and answer, against its limits."""
    from edge.workshop.bench import bench  # noqa: PLC0415 - needs the sandbox

    bench(folder, calls, click.echo)


COMMANDS = (
    new_command, build_command, test_command, dev_command, bench_command, permit_command,
)  # fmt: skip
"""What `roomkeeper-edge plugin` gets from here."""
