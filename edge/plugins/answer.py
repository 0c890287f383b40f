"""What a plugin may hand back: decoded strictly, counted, and bounded before anyone acts on it."""

import math
from collections import Counter

import msgspec

from edge.contracts.base import Value
from edge.contracts.commands import PluginCommand
from edge.contracts.plugin import SCHEMA, STATE_LIMIT, PluginOutput, output_decoder
from edge.plugins.sandbox import GuestError

COMMANDS_PER_EVENT = 64
TEXT_LIMIT = 512
NUMBER_LIMIT = 1e9
LEASE_LIMIT_S = 3600.0


def read_answer(text: str, events: frozenset[str]) -> PluginOutput:
    """Return the answer to a batch of `events`; GuestError says what is wrong with it."""
    try:
        output = output_decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise GuestError(f"answered no PluginOutput: {str(error)[:200]}") from error
    if output.schema != SCHEMA:
        raise GuestError(f"answered schema {output.schema}; this room speaks {SCHEMA}")
    size = len(output.state.encode("utf-8"))
    if size > STATE_LIMIT:
        raise GuestError(f"wants to keep {size} bytes of state; at most {STATE_LIMIT} are kept")
    for command in output.commands:
        _check(command, events)
    if len(output.commands) > COMMANDS_PER_EVENT:
        most = max(Counter(command.event for command in output.commands).values())
        if most > COMMANDS_PER_EVENT:
            raise GuestError(f"gave {most} commands for one event; {COMMANDS_PER_EVENT} are read")
    return output


def _check(command: PluginCommand, events: frozenset[str]) -> None:
    if command.event not in events:
        raise GuestError(f"answers event {command.event[:64]!r}, which it was not given")
    if not 0.0 < command.lease_s <= LEASE_LIMIT_S:
        raise GuestError(f"asks for a lease of {command.lease_s:g} s; allowed is up to 3600")
    for text in (command.actuator, command.reason, command.value):
        if not isinstance(text, str) or 4 * len(text) <= TEXT_LIMIT:
            continue  # A letter is four bytes at most.
        if len(text.encode("utf-8")) > TEXT_LIMIT:
            raise GuestError(f"hands back a text longer than {TEXT_LIMIT} bytes")
    if not command.actuator or not _finite(command.value):
        raise GuestError(f"sets {command.actuator!r} to {str(command.value)[:32]}")


def _finite(value: Value) -> bool:
    return isinstance(value, str) or (math.isfinite(value) and abs(value) <= NUMBER_LIMIT)
