"""`roomkeeper-edge plugin new|build|...`: what a plugin's author calls."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

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
    built = build_into(folder)
    rest = "sign it again" if built.changed else "as it was"
    click.echo(f"{built.module}: {built.size} bytes, {rest}")


COMMANDS = (new_command, build_command)
"""What `roomkeeper-edge plugin` gets from here."""
