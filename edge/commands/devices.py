"""`roomkeeper-edge devices`: what is on the room's broker and could be moved."""

import os
import time
from pathlib import Path

import click

from edge.actuators.discovery import FILTERS, Finder, blocks
from edge.actuators.discovery.listen import PAYLOAD_LIMIT
from edge.brokers import broker
from edge.config import ConfigError, RoomConfig, load_room
from edge.process import logs
from edge.process.link import Link

QUIET_S = 1.0
STEP_S = 0.05


@click.group()
def devices() -> None:
    """Find the devices on the room's broker."""


@devices.command()
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--seconds",
    type=click.FloatRange(0.5, 300.0),
    default=5.0,
    show_default=True,
    help="How long to listen; it ends sooner when nothing more is announced.",
)
def discover(config: Path, seconds: float) -> None:
    """List what could be moved, as blocks to paste into CONFIG (room.toml)."""
    try:
        room = load_room(config)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    # Blocks go to standard output alone, so that they can be redirected into a file.
    logs.setup("edge", "warning")
    finder = _listen(room, seconds)
    known = {a.wiring for a in room.actuators if a.wiring is not None}
    new = [one for one in finder.found if one.wiring not in known]
    for block in blocks(new, [actuator.name for actuator in room.actuators]):
        click.echo(f"{block}\n")
    configured = len(finder.found) - len(new)
    click.echo(f"# {len(new)} found, {configured} already in {config.name}", err=True)
    if finder.refused:
        click.echo(f"# {finder.refused} announcements were not understood", err=True)


def _listen(room: RoomConfig, seconds: float) -> Finder:
    """Return what was heard until nothing more came, or `seconds` were over."""
    finder = Finder()
    link = Link(
        f"discover-{room.room.id}-{os.getpid()}", broker(room.broker), payload_limit=PAYLOAD_LIMIT
    )
    for topic_filter in FILTERS:
        link.subscribe(topic_filter, finder.take)
    link.when_up(finder.begin)
    deadline = time.monotonic() + seconds
    link.start()
    try:
        ever = False
        while time.monotonic() < deadline and not (ever and finder.quiet_s() > QUIET_S):
            ever = ever or link.connected
            time.sleep(STEP_S)
        if not ever:
            where = f"{room.broker.host}:{room.broker.port}"
            raise click.ClickException(f"the room's broker at {where} does not answer")
    finally:
        link.stop()
    return finder
