"""The machines as the plan sees them: the provider's list, what is under way, what is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from cloud_bridge.reconcile.acts import intended
from cloud_bridge.reconcile.readiness import Readiness
from cloud_bridge.store import Intended
from cloud_bridge.types import Action, Create, Delete, Machine, Template
from edge.contracts.base import Now

GONE = "it ended by itself"


def census(
    listed: Iterable[Machine],
    written: Iterable[Intended],
    busy: Mapping[str, Action],
    elsewhere: frozenset[str],
    readiness: Readiness,
    templates: Mapping[str, Template],
    now: Now,
) -> list[Machine]:
    """Return one machine a key, with the phase it has for the plan.

    written: what was written down before a provider was asked; elsewhere: keys that another
    reconciler works on.
    """
    machines = [_listed(machine, busy, elsewhere, readiness, templates, now) for machine in listed]
    seen = {machine.key for machine in machines if machine.ours}
    for action in busy.values():
        if isinstance(action, Create) and action.key not in seen:
            machines.append(intended(action, now.wall))
            seen.add(action.key)
    for note in written:
        key = note.machine.key
        if key in seen:
            continue
        if isinstance(busy.get(key), Delete):
            machines.append(replace(note.machine, phase="ending"))
        elif key in elsewhere:
            machines.append(replace(note.machine, phase="creating"))
        elif note.begun:
            machines.append(replace(note.machine, phase="dead", detail=GONE))
        # Else written down and never made: nothing exists, the plan begins it anew.
    return machines


def remembered(machine: Machine, note: Intended | None) -> Machine:
    """Return the listed machine as ready when it once was: that outlives the reconciler."""
    was_ready = note is not None and note.machine.phase == "ready"
    same = note is not None and note.machine.token == machine.token
    return replace(machine, phase="ready") if was_ready and same else machine


def _listed(
    machine: Machine,
    busy: Mapping[str, Action],
    elsewhere: frozenset[str],
    readiness: Readiness,
    templates: Mapping[str, Template],
    now: Now,
) -> Machine:
    action = busy.get(machine.key)
    if isinstance(action, Delete):
        return replace(machine, phase="ending", detail=action.reason)
    if isinstance(action, Create) or machine.key in elsewhere:
        return replace(machine, phase="creating")
    if machine.ours and machine.phase == "booting":
        return _judged(machine, readiness, templates, now)
    return machine


def _judged(
    machine: Machine, readiness: Readiness, templates: Mapping[str, Template], now: Now
) -> Machine:
    verdict = readiness.verdict(machine)
    if verdict == "ready":
        return replace(machine, phase="ready")
    if verdict == "lost":
        # It may be in use all the same: told, never killed for it.
        return replace(machine, phase="ready", detail="its page does not answer")
    template = templates.get(machine.template)
    overdue = template is not None and now.wall >= machine.created + template.boot_s
    if verdict == "unknown" and overdue:
        # Found again after a restart: asked first, judged then.
        return replace(machine, phase="creating")
    return machine
