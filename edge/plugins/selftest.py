"""What a plugin must show before it runs: who it is, and its golden events answered as expected."""

import json
import time
from collections.abc import Callable

import msgspec

from edge.contracts.plugin import SCHEMA, PluginInput, PluginOutput, input_encoder
from edge.plugins.answer import read_answer
from edge.plugins.errors import DeadlineError, GuestError, PluginError
from edge.plugins.guest import Guest
from edge.plugins.install import GOLDEN, InstalledPlugin
from edge.plugins.manifest import Limits, Manifest

PATIENCE_MS = 1000
"""Deadline of a golden event: here it counts what a plugin says, not how soon.

A machine that has no time for a guest is waited for as long: the next plugins wait behind it.
"""
OVERLOADED = "the machine is overloaded"
FAIR = 0.25
"""Share of its deadline that a guest must have had the processor for, to be at fault."""


class GoldenEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a plugin's golden folder: what comes in and what must come out."""

    title: str
    input: PluginInput
    output: PluginOutput


def at_fault(error: GuestError, used_s: float, limits: Limits) -> bool:
    """Whether it is the guest that failed, and not a machine that had no time for it.

    used_s: processor time that the call was given, seconds.
    """
    return not isinstance(error, DeadlineError) or used_s * 1000 >= FAIR * limits.deadline_ms


def tries(limits: Limits) -> int:
    """Return how often a guest may introduce itself while the machine has no time for it."""
    return max(2, PATIENCE_MS // limits.deadline_ms)


def introduce(
    guest: Guest, manifest: Manifest, cpu: Callable[[], float] = time.thread_time
) -> None:
    """Hear who a guest says it is; PluginError when it is not what its manifest says: it is closed.

    cpu: processor time of the calling thread, seconds.
    """
    try:
        _hear(guest, manifest, cpu)
    except PluginError:
        guest.close()
        raise


def _hear(guest: Guest, manifest: Manifest, cpu: Callable[[], float]) -> None:
    try:
        said = msgspec.convert(json.loads(_description(guest, cpu)), dict[str, object])
    except (ValueError, RecursionError) as error:
        raise PluginError(f"{manifest.module} describes itself badly: {error}") from error
    if said.get("id") != manifest.id or said.get("schema") != SCHEMA:
        raise PluginError(f"{manifest.module} says it is {str(said)[:100]}, not {manifest.id}")


def _description(guest: Guest, cpu: Callable[[], float]) -> str:
    count = left = tries(guest.limits)
    while True:
        begun = cpu()
        try:
            return guest.call("describe", None)
        except DeadlineError as error:
            left -= 1
            if at_fault(error, cpu() - begun, guest.limits):
                raise
            if not left:
                raise DeadlineError(f"{error}, {count} times: {OVERLOADED}") from error


def self_test(guest: Guest, plugin: InstalledPlugin) -> int:
    """Return how many golden events were answered as expected; PluginError for the first not."""
    guest.limits = msgspec.structs.replace(guest.limits, deadline_ms=PATIENCE_MS)
    introduce(guest, plugin.manifest)
    files = [name for name in sorted(plugin.files) if name.startswith(f"{GOLDEN}/")]
    for name in files:
        try:
            golden = msgspec.json.decode(plugin.files[name], type=GoldenEvent)
            text = guest.call("handle", input_encoder.encode(golden.input).decode("utf-8"))
            answer = read_answer(text, frozenset(event.id for event in golden.input.events))
        except (msgspec.MsgspecError, RecursionError, GuestError, UnicodeDecodeError) as error:
            raise PluginError(f"{plugin.id} {plugin.version}: {name}: {error}") from error
        if answer != golden.output:
            raise PluginError(
                f"{plugin.id} {plugin.version}: {name} ({golden.title[:80]}) is answered otherwise "
                "than expected"
            )
    return len(files)
