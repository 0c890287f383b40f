"""roomkeeper-cloud: run the service's processes, check them, and look at the machines."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import click

from cloud_bridge.config import CloudConfig, ConfigError, load_cloud
from cloud_bridge.store.base import StoreError
from edge.process import logs, stop

INSTANCE = re.compile(r"[a-z0-9_-]{0,32}")
LOOK_S = 2.0
"""So often a process looks whether its database is still the one it opened."""
CONFIG = click.argument("config", type=click.Path(path_type=Path, dir_okay=False))


class Failure(click.ClickException):
    """A command that could not do what it was asked; exit code 1."""


class Process(Protocol):
    """One of the service's processes."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End within 2 s."""
        ...

    def replaced(self) -> bool:
        """Return whether its database was wiped or put back under it."""
        ...


def _config(path: Path) -> CloudConfig:
    try:
        return load_cloud(path)
    except ConfigError as error:
        raise Failure(str(error)) from error


@click.group()
@click.version_option(package_name="roomkeeper")
def main() -> None:
    """Hear the rooms, keep their events, run their meetings' machines."""


@main.command()
@CONFIG
def ingest(config: Path) -> None:
    """Store what rooms send, described by CONFIG (cloud.toml), until SIGTERM or Ctrl-C."""
    from cloud_bridge.app import IngestProcess  # noqa: PLC0415 - other commands need less

    settings = _config(config)
    _run("ingest", settings, IngestProcess)


@main.command()
@CONFIG
@click.option(
    "--instance",
    default="",
    metavar="NAME",
    help="Tells this reconciler from others that share the database; the same at each start.",
)
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Its health page, if not the one of CONFIG.",
)
def reconcile(config: Path, instance: str, health_port: int) -> None:
    """Run the machines that rooms want, described by CONFIG, until SIGTERM or Ctrl-C.

    Several may run at once on one PostgreSQL, each with a name of its own; the work of one that
    died is taken over by the others within 30 s.
    """
    from cloud_bridge import chores  # noqa: PLC0415
    from cloud_bridge.app import ReconcileProcess  # noqa: PLC0415

    if not INSTANCE.fullmatch(instance):
        raise Failure(f"--instance {instance!r}: up to 32 of a-z, 0-9, - and _")
    settings = _config(config)
    try:
        _run("reconcile", settings, lambda each: ReconcileProcess(each, instance, health_port))
    except chores.VmError as error:
        raise Failure(str(error)) from error


@main.command()
@CONFIG
def admin(config: Path) -> None:
    """Serve the page for those who look after the rooms, until SIGTERM or Ctrl-C."""
    from cloud_bridge.admin import AdminError  # noqa: PLC0415
    from cloud_bridge.app import AdminProcess  # noqa: PLC0415

    settings = _config(config)
    try:
        _run("admin", settings, AdminProcess)
    except AdminError as error:
        raise Failure(str(error)) from error


@main.command()
@CONFIG
def door(config: Path) -> None:
    """Let those who meet enter their machines with a code, until SIGTERM or Ctrl-C."""
    from cloud_bridge.app import DoorProcess  # noqa: PLC0415
    from cloud_bridge.door import DoorError  # noqa: PLC0415

    settings = _config(config)
    try:
        _run("door", settings, DoorProcess)
    except DoorError as error:
        raise Failure(str(error)) from error


@main.command("admin-password")
@CONFIG
def admin_password(config: Path) -> None:
    """Give the user admin a new one-time password and sign them out everywhere."""
    from cloud_bridge import chores  # noqa: PLC0415

    settings = _config(config)
    try:
        click.echo(chores.reset_password(settings))
    except StoreError as error:
        raise Failure(str(error)) from error


def _run(name: str, config: CloudConfig, process: Callable[[CloudConfig], Process]) -> None:
    stopping = stop.install()
    logs.setup(name, config.log.level)
    try:
        running = process(config)
    except (StoreError, OSError) as error:
        raise Failure(str(error)) from error
    replaced = threading.Event()

    def look() -> None:
        while not stopping.wait(LOOK_S):
            if running.replaced():
                # Rooms say again what they want to who connects anew, not to who stayed.
                replaced.set()
                stopping.set()

    try:
        running.start()
        # A database that does not answer holds it for as long as it likes.
        threading.Thread(target=look, name="database", daemon=True).start()
        while not stopping.wait(3600.0):
            continue
    finally:
        running.stop()
    if replaced.is_set():
        raise Failure("the database was replaced: ends, to begin with the new one")


@main.command()
@CONFIG
@click.option("--retry", "key", default="", help="Let the given-up machine KEY begin anew.")
def machines(config: Path, key: str) -> None:
    """List the machines there are: key, room, phase, end of the lease, address."""
    from cloud_bridge import chores  # noqa: PLC0415

    logs.quiet()
    settings = _config(config)
    if key:
        try:
            known = chores.retry(settings, key)
        except StoreError as error:
            raise Failure(str(error)) from error
        if not known:
            raise Failure(f"no attempts are kept for a machine {key}")
        click.echo(f"{key}: begins anew while it is wanted")
        return
    try:
        rows = chores.machines(settings)
    except chores.VmError as error:
        raise Failure(str(error)) from error
    for machine, answering in rows:
        if machine.ours:
            phase = "ready" if answering else machine.phase
            until = datetime.fromtimestamp(machine.until, UTC).isoformat(timespec="seconds")
            rooms = ",".join(machine.rooms)
            click.echo(f"{machine.key}  {rooms}  {phase}  until {until}  {machine.address}")


@main.command("check-config")
@CONFIG
def check_config(config: Path) -> None:
    """Check CONFIG and the files it names; say what is wrong, where, and what is allowed."""
    settings = _config(config)
    names = ", ".join(settings.templates)
    click.echo(f"{config}: service {settings.name}, templates {names}")


@main.command()
@CONFIG
def doctor(config: Path) -> None:
    """Check what CONFIG needs: broker, database, libvirt, guests, images, disk."""
    from cloud_bridge.doctor import examine  # noqa: PLC0415

    logs.quiet()
    findings = examine(_config(config))
    for finding in findings:
        mark = "ok  " if finding.well else "FAIL"
        click.echo(f"{mark} {finding.what}: {finding.detail}")
        if not finding.well:
            click.echo(f"     {finding.remedy}")
    if not all(finding.well for finding in findings):
        raise SystemExit(1)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def image(folder: Path) -> None:
    """Build the small guest into FOLDER from Debian's cloud kernel and busybox."""
    from cloud_bridge import chores  # noqa: PLC0415

    try:
        click.echo(str(chores.make_image(folder)))
    except (chores.KernelError, OSError) as error:
        raise Failure(str(error)) from error


if __name__ == "__main__":
    main()
