"""Configuration files: TOML into a struct; a mistake names file, line, key, value and remedy."""

import difflib
import re
import stat
import tomllib
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

T = TypeVar("T")

FILE_LIMIT = 1024 * 1024
SECRET_LIMIT = 4096


class ConfigError(Exception):
    """A configuration that cannot be used; the text says where, what it is and what is allowed."""


def read_text(path: Path, limit: int = FILE_LIMIT) -> str:
    """Return a text file of at most `limit` bytes; raise ConfigError saying which and why not."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise ConfigError(f"{path}: is larger than the {limit} bytes that are read")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text: {error.reason}") from error


def absent(path: Path, kind: Literal["file", "folder"] = "file") -> str:
    """Return what is allowed instead of a path that is none or out of reach, else ""."""
    try:
        there = path.is_file() if kind == "file" else path.is_dir()
    except OSError as error:
        return f"a {kind} that can be looked at; {path} cannot: {error.strerror}"
    return "" if there else f"a {kind} that exists; {path} does not"


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file as read: its tables, and the text that lets an error name a line."""

    path: Path
    text: str
    table: dict[str, Any]

    def convert(self, type_: type[T], *keys: str | int) -> T:
        """Return what stands at `keys` as a `type_`; raise ConfigError for the first mistake."""
        found = _value(self.table, keys)
        unknown = _unknown_key(found, type_, keys)
        if unknown is not None:
            below, known = unknown
            hint = _suggest(below[-1], known)
            raise ConfigError(f"{self._where(below)}: unknown key; {hint}")
        try:
            return msgspec.convert(found, type_)
        except msgspec.ValidationError as error:
            raise self._explain(keys, str(error)) from error

    def wrong(self, keys: tuple[str | int, ...], allowed: str) -> ConfigError:
        """Return the error for a value that the types let pass: `allowed` says what is right."""
        shown = _show(_value(self.table, keys))
        return ConfigError(f"{self._where(keys)} = {shown}: allowed is {allowed}")

    def _explain(self, begin: tuple[str | int, ...], error: str) -> ConfigError:
        said, _, tail = error.partition(" - at `")
        keys = (*begin, *_keys(tail))
        missing = re.fullmatch(r"Object missing required field `(.+)`", said)
        if missing:
            return ConfigError(f"{self._where((*keys, missing[1]))}: is missing and has no default")
        return self.wrong(keys, said.replace("Expected ", "").replace("`", ""))

    def _where(self, keys: tuple[str | int, ...]) -> str:
        shown = "".join(f"[{k + 1}]" if isinstance(k, int) else f".{k}" for k in keys)
        line = _line(self.text, keys)
        return f"{self.path}{f':{line}' if line else ''}: {shown.lstrip('.') or 'the file'}"


def read(path: Path) -> Document:
    """Return the file's tables; raise ConfigError when it cannot be read or is not TOML."""
    text = read_text(path)
    try:
        return Document(path, text, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error


def load(path: Path, type_: type[T]) -> T:
    """Return the whole file as a `type_` (a msgspec struct); raise ConfigError when it is wrong."""
    return read(path).convert(type_)


def read_secret(path: str) -> str:
    """Return the first line of a secret's file ("" for no file) that only its owner can read."""
    if not path:
        return ""
    file = Path(path)
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError as error:
        raise ConfigError(f"{file}: the secret cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise ConfigError(
            f"{file}: others can read this secret (mode {mode:04o}); run: chmod 600 {file}"
        )
    lines = read_text(file, SECRET_LIMIT).splitlines()
    if not lines or not lines[0].strip():
        raise ConfigError(f"{file}: the secret is empty; its first line is used")
    return lines[0].strip()


def _keys(tail: str) -> tuple[str | int, ...]:
    """Turn msgspec's path, `$.camera.fps` or `$.actuators[2].min`, into keys and indices."""
    found = re.findall(r"\.([\w-]+)|\[(\d+)\]", tail)
    return tuple(int(index) if index else name for name, index in found)


def _value(table: object, keys: tuple[str | int, ...]) -> object:
    for key in keys:
        try:
            table = table[key]  # type: ignore[index]
        except (TypeError, LookupError):
            return None
    return table


def _show(value: object) -> str:
    text = "(a table)" if isinstance(value, dict) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _line(text: str, keys: tuple[str | int, ...]) -> int:
    """Return the line of the key as TOML is usually written, 0 when it is written otherwise."""
    names = [key for key in keys if isinstance(key, str)]
    wanted = next((key for key in keys if isinstance(key, int)), 0)
    if not names:
        return 0
    table, last, seen = "", names[-1], -1
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line)
        if header:
            table = header[1]
            seen += table == names[0] and line.lstrip().startswith("[[")
            if table == ".".join(names):
                return number
        key = re.match(r'\s*["\']?([^"\'=]+?)["\']?\s*=', line)
        parent = ".".join(names[:-1])
        if key and not header and key[1] == last and table == parent and max(seen, 0) == wanted:
            return number
    return 0


def _unknown_key(
    table: object, type_: object, keys: tuple[str | int, ...]
) -> tuple[tuple[str | int, ...], tuple[str, ...]] | None:
    """Return the first key that no struct on its way knows, and the keys that would be known."""
    kind = _struct(type_)
    if isinstance(table, list):
        item = next(iter(typing.get_args(type_)), None)
        found = (_unknown_key(row, item, (*keys, index)) for index, row in enumerate(table))
        return next((one for one in found if one is not None), None)
    if not isinstance(table, dict):
        return None
    if kind is None:
        item = next(iter(typing.get_args(type_)[1:]), None)
        found = (_unknown_key(row, item, (*keys, str(key))) for key, row in table.items())
        return next((one for one in found if one is not None), None)
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in table.items():
        if key not in fields:
            return (*keys, key), tuple(fields)
        below = _unknown_key(value, fields[key], (*keys, key))
        if below is not None:
            return below
    return None


def _struct(type_: object) -> type[msgspec.Struct] | None:
    options = typing.get_args(type_) if isinstance(type_, types.UnionType) else (type_,)
    for option in options:
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def _suggest(key: str | int, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"allowed are {', '.join(known)}"
