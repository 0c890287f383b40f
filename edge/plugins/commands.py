"""`roomkeeper-edge plugin ...`: make keys, sign and verify plugins."""

import os
from pathlib import Path

import click

from edge.plugins.errors import PluginError
from edge.plugins.install import InstalledPlugin, load_plugin
from edge.plugins.manifest import MANIFEST, parse
from edge.plugins.signature import (
    SUFFIX,
    keygen,
    load_keys,
    parse_secret,
    public_text,
    read_text,
    secret_text,
    sign,
)

_FOLDER = click.Path(path_type=Path, file_okay=False)
_keys_option = click.option(
    "--keys", type=_FOLDER, default=Path("config/keys"), show_default=True,
    help="Folder of pinned public keys (*.pub).",
)  # fmt: skip


@click.group("plugin")
def plugin() -> None:
    """Write, try, sign, install and follow room-control plugins."""


@plugin.command("keygen")
@click.argument("secret", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("public", type=click.Path(path_type=Path, dir_okay=False))
def keygen_command(secret: Path, public: Path) -> None:
    """Write a new signing key to SECRET (keep it off the appliance) and its half to PUBLIC."""
    key = keygen()
    try:
        _create(secret, secret_text(key), 0o600)
        _create(public, public_text(key.public), 0o644)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    click.echo(f"key {key.public.label}: pin {public} in its rooms")


@plugin.command("sign")
@click.argument("folder", type=_FOLDER)
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), required=True)
def sign_command(folder: Path, key: Path) -> None:
    """Sign the manifest of the plugin in FOLDER."""
    try:
        data = (folder / MANIFEST).read_bytes()
        manifest = parse(data, str(folder / MANIFEST))
        comment = f"plugin {manifest.id} {manifest.version}"
        text = sign(data, parse_secret(read_text(key), str(key)), comment)
        (folder / (MANIFEST + SUFFIX)).write_text(text, encoding="ascii")
    except (PluginError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"signed {manifest.id} {manifest.version}")


@plugin.command("verify")
@click.argument("folder", type=_FOLDER)
@_keys_option
def verify_command(folder: Path, keys: Path) -> None:
    """Check signature, hash and manifest of the plugin in FOLDER."""
    found = _load(folder.resolve().parent, folder.resolve().name, keys)
    click.echo(f"{found.id} {found.manifest.version} is signed by {found.signer}")


def _load(folder: Path, name: str, keys: Path) -> InstalledPlugin:
    try:
        return load_plugin(folder, name, load_keys(keys), {})
    except PluginError as error:
        raise click.ClickException(str(error)) from error


def _create(path: Path, text: str, mode: int) -> None:
    """Write a file that must not exist yet."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
