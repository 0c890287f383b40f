"""`roomkeeper-edge intents`: what meetings may ask for, and what one of them would come to."""

import math
from pathlib import Path
from typing import Any

import click

from edge.commands.question import Question
from edge.config import ConfigError, RoomConfig, load_intents, load_room
from edge.decide.intents import Intent, Slo

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config/room.toml"),
    show_default=True,
    help="The room it is asked for.",
)


class Seconds(click.FloatRange):
    """A time of at most a day; not a number is no time."""

    def __init__(self) -> None:
        super().__init__(0.0, 86_400.0)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds; a usage error for what is none."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


@click.group()
def intents() -> None:
    """Show what meetings may ask for, and what a booking would come to."""


@intents.command("list")
@CONFIG
def list_intents(config: Path) -> None:
    """List the intents in the order in which they count, as they are in this room."""
    room, declared = loaded(config)
    click.echo(f"{room.room.name or room.room.id}: what stands first counts")
    for intent in declared:
        click.echo("\n".join(_described(intent)))


@intents.command()
@click.argument("event", type=click.Path(path_type=Path, dir_okay=False))
@CONFIG
@click.option("--at", "seen", default="", metavar="TIME", help="As seen then; default: now.")
@click.option("--occurrence", default="", metavar="DAY", help="Of a series: the first from here.")
@click.option(
    "--machine-takes", type=Seconds(), default=60.0, help="Seconds a machine is taken to need."
)
@click.option("--plugins/--no-plugins", default=True, help="Whether plugins are asked.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def explain(
    event: Path,
    config: Path,
    seen: str,
    occurrence: str,
    machine_takes: float,
    plugins: bool,
    as_json: bool,
) -> None:
    """Show what the room would do for the booking in EVENT (.ics). Nothing is moved or written."""
    from edge.commands.explain import explained  # noqa: PLC0415 - the others need no calendar

    room, declared = loaded(config)
    wanted = Question(event, seen, occurrence, machine_takes, plugins, as_json)
    click.echo(explained(room, declared, wanted))


def loaded(config: Path) -> tuple[RoomConfig, tuple[Intent, ...]]:
    """Return the room and its intents; a mistake in them ends the command with its text."""
    try:
        room = load_room(config)
        return room, load_intents(Path(room.intents.file), room)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def _described(intent: Intent) -> list[str]:
    tags = " ".join(f"#{tag}" for tag in (intent.name, *intent.tags))
    lines = [f"\n{intent.title}  ({tags})"]
    lines += [f"  {intent.description}"] if intent.description else []
    lines += [
        f"  {actuator} = {value}, {intent.lead(actuator):g} s before the start"
        for actuator, value in intent.targets.items()
    ]
    if intent.vm:
        ahead = f"{intent.vm_lead_s:g} s" if intent.vm_lead_s else "its template's lead"
        lines.append(f"  machine {intent.vm}, begun {ahead} before the start")
    lines += [f"  promise: {text}" for text in promised(intent.slo)]
    lines += [f"  not with: {', '.join(intent.exclusive)}"] if intent.exclusive else []
    return lines


def promised(slo: Slo) -> list[str]:
    """Return the promises in words."""
    found = []
    if slo.ready_s is not None:
        found.append(f"as asked {slo.ready_s:g} s before the start")
    if slo.machine_ready_s is not None:
        found.append(f"machine ready {slo.machine_ready_s:g} s before the start")
    if slo.temperature_within is not None:
        found.append(f"within {slo.temperature_within:g} °C of what is asked at the start")
    if slo.light_within is not None:
        found.append(f"lights within {slo.light_within:g} % of what is asked at the start")
    return found
