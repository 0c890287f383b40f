"""A signed permission to go back: from the highest version that was here to one that is kept.

It names both ends, so it is worth nothing once a higher version has been installed.
"""

import tomllib
from pathlib import Path

import msgspec

from edge.contracts.base import StrictMessage
from edge.plugins.errors import PluginError
from edge.plugins.manifest import Name, Version
from edge.plugins.signature import SUFFIX, PublicKey, read_text, verify


class Rollback(StrictMessage, frozen=True, forbid_unknown_fields=True, rename={"highest": "from"}):
    """What the statement says: `plugin`, `from` (the highest version that was here) and `to`."""

    plugin: Name
    highest: Version
    to: Version


def statement(plugin: str, highest: str, to: str) -> str:
    """Return the text to be signed."""
    return f'plugin = "{plugin}"\nfrom = "{highest}"\nto = "{to}"\n'


def read_rollback(file: Path, keys: tuple[PublicKey, ...]) -> Rollback:
    """Return the statement in `file`; PluginError unless a pinned key signed it."""
    text = read_text(file)
    signature = file.with_name(file.name + SUFFIX)
    return parse_rollback(text, read_text(signature), keys, file.name)


def parse_rollback(text: str, signature: str, keys: tuple[PublicKey, ...], where: str) -> Rollback:
    """Return the statement; PluginError unless a pinned key signed it."""
    verify(text.encode(), signature, keys, where + SUFFIX)
    try:
        return msgspec.convert(tomllib.loads(text), Rollback)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise PluginError(f"{where} is no rollback statement: {error}") from error
