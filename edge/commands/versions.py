"""`roomkeeper-edge plugin install, rollback, allow-rollback, list, logs`: what a room runs."""

import json
import os
import re
import time
from pathlib import Path

import click
import msgspec

from edge.config import ConfigError, RoomConfig, load_room
from edge.contracts.signals import PluginAnswered, PluginFailed, SourceChanged, decode_signal
from edge.journal import JournalError, StoredRow, open_reader
from edge.plugins.archive import load_package
from edge.plugins.cache import CompileCache
from edge.plugins.errors import PluginError
from edge.plugins.install import installed, load_plugin
from edge.plugins.private import PrivateFolder
from edge.plugins.rollback import parse_rollback, read_rollback, statement
from edge.plugins.sandbox import Sandbox
from edge.plugins.selftest import self_test
from edge.plugins.signature import SUFFIX, load_keys, parse_secret, read_text, sign
from edge.plugins.versions import Row, Versions

_FILE = click.Path(path_type=Path, dir_okay=False)
_config = click.option(
    "--config", type=_FILE, default=Path("config/room.toml"), show_default=True,
    help="The room it is about.",
)  # fmt: skip


@click.command()
@click.argument("source", metavar="FOLDER_OR_ARCHIVE", type=click.Path(path_type=Path, exists=True))
@_config
def install(source: Path, config: Path) -> None:
    """Check and test the plugin in FOLDER_OR_ARCHIVE and let it run; a running room takes it."""
    room = _room(config)
    try:
        store, versions = _store(room)
        plugin = load_package(source, load_keys(Path(room.plugins.keys)), {})
        box = Sandbox()
        try:
            cache = CompileCache(PrivateFolder(store.path / "compiled"))
            guest = cache.guest(box, plugin)
            tested = self_test(guest, plugin)
            guest.close()
        finally:
            box.close()
        row = versions.install(plugin)
    except PluginError as error:
        raise click.ClickException(str(error)) from error
    said = f", {row.previous} stays" if row.previous else ""
    click.echo(
        f"installed {plugin.id} {plugin.version}, signed by {plugin.signer}, "
        f"{tested} golden events as expected{said}"
    )
    if plugin.id not in room.plugins.enabled:
        click.echo(f"add {plugin.id} to [plugins] enabled in {config} to let it run")
    if not _named(plugin.id, Path(room.policy.file)):
        click.echo(
            f"{room.policy.file} names no permit for it: unless a general one covers it, "
            f"all it asks for is refused; `roomkeeper-edge plugin permit FOLDER` prints one to add"
        )


def _named(plugin: str, policy: Path) -> bool:
    """Whether a policy speaks of a plugin; one that cannot be read is another command's error."""
    try:
        text = re.sub(r"//.*", "", policy.read_text(encoding="utf-8"))
    except (OSError, UnicodeError):
        return True
    return f'Plugin::"{plugin}"' in text


@click.command()
@click.argument("plugin", metavar="ID")
@click.option("--signed", type=_FILE, help="The statement that `allow-rollback` wrote.")
@click.option("--key", type=_FILE, help="Or the key itself, where it is at hand.")
@_config
def rollback(plugin: str, signed: Path | None, key: Path | None, config: Path) -> None:
    """Go back to the version of plugin ID that ran before; needs a pinned key's signature."""
    room = _room(config)
    try:
        _, versions = _store(room)
        pinned = load_keys(Path(room.plugins.keys))
        if signed is not None:
            wanted = read_rollback(signed, pinned)
        else:
            row = versions.rows().get(plugin)
            if row is None or not row.previous:
                raise PluginError(f"no version of {plugin} is kept to go back to")
            if key is None:
                raise PluginError(
                    f"going back needs a signature: `roomkeeper-edge plugin allow-rollback "
                    f"{plugin} {row.highest} {row.previous} FILE --key KEY` where the key is, then "
                    f"`plugin rollback {plugin} --signed FILE`"
                )
            text = statement(plugin, row.highest, row.previous)
            signature = sign(text.encode(), parse_secret(read_text(key), str(key)), "rollback")
            wanted = parse_rollback(text, signature, pinned, "the statement")
        if wanted.plugin != plugin:
            raise PluginError(f"the statement is about {wanted.plugin}, not {plugin}")
        row = versions.rollback(wanted)
    except PluginError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{plugin} runs {row.current}; {row.highest} stays for `plugin install`")


@click.command("allow-rollback")
@click.argument("plugin", metavar="ID")
@click.argument("highest", metavar="FROM")
@click.argument("to")
@click.argument("file", type=_FILE)
@click.option("--key", type=_FILE, required=True)
def allow_rollback(plugin: str, highest: str, to: str, file: Path, key: Path) -> None:
    """Write to FILE, signed, that rooms that have seen plugin ID at FROM may go back to TO."""
    try:
        text = statement(plugin, highest, to)
        secret = parse_secret(read_text(key), str(key))
        signature = sign(text.encode(), secret, f"rollback {plugin} {highest} {to}")
        parse_rollback(text, signature, (secret.public,), "the statement")
        file.write_text(text, encoding="utf-8")
        file.with_name(file.name + SUFFIX).write_text(signature, encoding="ascii")
    except (PluginError, OSError, UnicodeError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"wrote {file} and {file.name}{SUFFIX}: take both to the room")


@click.command("list")
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--keys", type=click.Path(path_type=Path, file_okay=False), help="Pinned keys.")
@_config
def list_plugins(folder: Path | None, keys: Path | None, config: Path) -> None:
    """List what a room may run, or the plugins in FOLDER; exit 1 when one cannot be trusted."""
    if folder is not None:
        wrong = _list_folder(folder, keys or Path("config/keys"))
    else:
        wrong = _list_room(_room(config))
    raise SystemExit(1 if wrong else 0)


def _list_folder(folder: Path, keys: Path) -> int:
    if not os.access(folder, os.R_OK | os.X_OK):
        raise click.ClickException(
            f"{folder} is no folder that this user may read: name the one that plugins lie in"
        )
    wrong = 0
    names = installed(folder)
    if not names:
        click.echo(f"no plugin in {folder}")
    for name in names:
        try:
            found = load_plugin(folder, name, load_keys(keys), {})
            click.echo(f"{name:12} {found.version:10} ok, signed by {found.signer}")
        except PluginError as error:
            wrong += 1
            click.echo(f"{name:12} {'':10} refused: {error}")
    return wrong


def _list_room(room: RoomConfig) -> int:
    wrong = 0
    try:
        _, versions = _store(room)
        rows = versions.rows()
    except PluginError as error:
        raise click.ClickException(str(error)) from error
    names = sorted({*rows, *room.plugins.enabled})
    if not names:
        click.echo("no plugin is installed or enabled")
    for name in names:
        row = rows.get(name)
        if row is None:
            click.echo(f"{name:12} {'':10} not installed yet; offered by {room.plugins.folder}")
            continue
        for number, state in _states(row, name in room.plugins.enabled).items():
            try:
                signer = versions.load(name, number, {}).signer
                click.echo(f"{name:12} {number:10} {state}, signed by {signer}")
            except PluginError as error:
                wrong += number == row.current
                click.echo(f"{name:12} {number:10} {state}, refused: {error}")
    return wrong


def _states(row: Row, enabled: bool) -> dict[str, str]:
    states = {row.current: "runs" if enabled else "installed, not enabled"}
    if row.previous:
        states[row.previous] = "kept, comes back when the other fails"
    if row.highest != row.current:
        states[row.highest] = "kept"
    for number, why in row.held.items():
        if number in states:
            states[number] += f", failed here ({why})"
    return states


@click.command()
@click.argument("plugin", metavar="ID")
@click.option(
    "--last", type=click.IntRange(min=1), default=50, show_default=True,
    help="So many lines at most.",
)  # fmt: skip
@_config
def logs(plugin: str, last: int, config: Path) -> None:
    """Show from the journal what plugin ID logged, where it failed and which version ran."""
    lines: list[str] = []
    try:
        with open_reader(Path(_room(config).journal.path)) as reader:
            for row in reader.read():
                lines += _told(row, f"plugin:{plugin}")
                del lines[:-last]
    except JournalError as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(lines) if lines else f"the journal holds nothing of {plugin}")


def _told(row: StoredRow, source: str) -> list[str]:
    """Return the lines that one row is worth."""
    # Most rows are about something else: they are not decoded.
    if row.kind != "signal" or row.body is None or json.dumps(source).encode() not in row.body:
        return []
    try:
        signal = decode_signal(row.body)
    except msgspec.MsgspecError:
        return []
    texts: list[str] = []
    match signal:
        case PluginAnswered() if signal.source == source:
            texts = list(signal.said)
        case PluginFailed() if signal.source == source:
            held = "quarantined" if signal.quarantined else "failed"
            texts = [*signal.said, f"{held}: {signal.reason}"]
        case SourceChanged() if signal.source == source:
            texts = [f"{signal.health}: {signal.reason}"]
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row.now.wall))
    return [f"{when}  {text}" for text in texts]


def _room(config: Path) -> RoomConfig:
    try:
        return load_room(config)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def _store(room: RoomConfig) -> tuple[PrivateFolder, Versions]:
    folder = PrivateFolder(Path(room.plugins.store))
    return folder, Versions(folder, Path(room.plugins.keys))


COMMANDS = (install, rollback, allow_rollback, list_plugins, logs)
