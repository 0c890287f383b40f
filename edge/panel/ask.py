"""What people asked for, from a form to a signal, and what came of it. Pure."""

import math
from collections.abc import Mapping

from edge.contracts.base import Now, Value
from edge.contracts.signals import OperatorAsked
from edge.decide.core import CoreSettings, CoreState
from edge.panel import PanelError
from edge.panel.controls import BY_HAND, PAUSE, WHO, Control, controls
from edge.panel.machine import offers
from edge.panel.options import Options
from edge.panel.status import Action, actions, free_for, serving
from edge.panel.view import desk_of, voice_of
from edge.panel.words import load

SOURCE = "panel"
FIELD_LIMIT = 2048


class AskError(PanelError):
    """A form that asks for what is not on offer; `word` is the key of the answer's text."""

    def __init__(self, word: str, what: str) -> None:
        super().__init__(what)
        self.word = word


def parse(
    verb: str,
    form: Mapping[str, str],
    state: CoreState,
    settings: CoreSettings,
    options: Options,
    now: Now,
) -> OperatorAsked:
    """Return the signal a form stands for; raise AskError when the panel would not offer it."""
    if any(len(text) > FIELD_LIMIT for text in form.values()):
        raise AskError("refused_form", f"a field is longer than {FIELD_LIMIT} characters")
    match verb:
        case "check_in" | "extend" | "end" | "book" | "keep" | "machine" | "connect":
            return _meeting(verb, form, state, settings, options, now)
        case "set":
            return _set(form, _control(form, state, settings, options, now), options)
        case "release":
            control = _control(form, state, settings, options, now)
            return OperatorAsked(SOURCE, "release", WHO, actuator=control.actuator)
        case "pause":
            return OperatorAsked(SOURCE, "pause", WHO, seconds=options.hold_s)
        case "resume":
            return OperatorAsked(SOURCE, "resume", WHO)
        case "consent":
            value = form.get("value", "")
            if value not in ("all", "counts", "off"):
                raise AskError("refused_form", f"consent {value[:40]!r}: all, counts or off")
            return OperatorAsked(SOURCE, "consent", WHO, value=value)
        case _:
            raise AskError("refused_form", f"no such action {verb[:40]!r}")


def refused(asked: OperatorAsked, before: CoreState, after: CoreState) -> str:
    """Return the key of what stood in the way, "" when it was done.

    before, after: the states around the signal. A value that already holds counts as done.
    """
    match asked.verb:
        case "check_in" | "extend" | "end" | "book" | "keep" | "machine":
            why = "refused_policy" if asked.value != "" else "refused_unchanged"
            return "" if after.lives != before.lives else why
        case "connect":
            return "" if _shown(asked, after) else "refused_policy"
        case "set":
            return _refused_set(asked, after)
        case "pause" | "resume":
            return "" if (after.pause is not None) == (asked.verb == "pause") else "refused_form"
        case _:
            return "refused_unchanged" if _stays(asked, after) else ""


def _meeting(
    verb: str,
    form: Mapping[str, str],
    state: CoreState,
    settings: CoreSettings,
    options: Options,
    now: Now,
) -> OperatorAsked:
    voice = voice_of(load("en"), options)
    served = serving(state, now)
    offered = actions(served, state, settings.meetings, voice, now)
    card = offers(state, served, desk_of(settings, options), voice, now)
    for action in (*offered, *card):
        if action.verb == verb and _fits(action, form):
            return _signal(action, state, now)
    raise AskError("refused_not_now", f"{verb} is not possible at this moment")


def _fits(action: Action, form: Mapping[str, str]) -> bool:
    # How far a meeting can be extended may have changed since the page was drawn.
    fixed = dict(action.fields)
    fixed.pop("seconds", None)
    same = all(form.get(name) == text for name, text in fixed.items())
    # A booking with a machine, or at another time, is another wish than the plain one.
    return same and all(form.get(name, "") == fixed.get(name, "") for name in ("template", "start"))


def _signal(action: Action, state: CoreState, now: Now) -> OperatorAsked:
    fields = dict(action.fields)
    seconds = float(fields.get("seconds", "0"))
    if action.verb == "book" and "minutes" in fields:
        until = free_for(state, now)
        seconds = until if fields["minutes"] == "next" else float(fields["minutes"]) * 60
    meeting = fields.get("meeting", "")
    return OperatorAsked(
        SOURCE,
        action.verb,
        WHO,
        meeting=meeting,
        value=fields.get("template", ""),
        seconds=seconds,
        start=float(fields.get("start", "0")),
    )


def _control(
    form: Mapping[str, str],
    state: CoreState,
    settings: CoreSettings,
    options: Options,
    now: Now,
) -> Control:
    name = form.get("actuator", "")
    for control in controls(state, settings, voice_of(load("en"), options), now):
        if control.actuator == name:
            return control
    raise AskError("refused_form", f"no control {name[:40]!r} on this panel")


def _set(form: Mapping[str, str], control: Control, options: Options) -> OperatorAsked:
    value = _value(form.get("value", ""), control)
    return OperatorAsked(
        SOURCE, "set", WHO, actuator=control.actuator, value=value, seconds=options.hold_s
    )


def _value(text: str, control: Control) -> Value:
    if control.kind == "choice":
        if text in dict(control.values):
            return text
        raise AskError("refused_form", f"{control.actuator} cannot be {text[:40]!r}")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number) or not control.low <= number <= control.high:
        limits = f"{control.low:g} to {control.high:g}"
        raise AskError("refused_range", f"{control.actuator} {text[:40]!r}: allowed is {limits}")
    stepped = round(number / control.step) * control.step
    return int(stepped) if control.step >= 1 else stepped


def _shown(asked: OperatorAsked, after: CoreState) -> bool:
    code = after.codes.get(asked.meeting)
    return code is not None and code.sealed == asked.value


def _refused_set(asked: OperatorAsked, after: CoreState) -> str:
    given = after.given.get(asked.actuator)
    if given is not None and given.source == BY_HAND and asked.value in (given.value, given.toward):
        return ""
    if f"{asked.actuator}|{BY_HAND}" in after.denied:
        return "refused_policy"
    if f"gate|{asked.actuator}|{BY_HAND}" in after.denied:
        return "refused_gate"
    held = given is not None and given.priority == "safety"
    return "refused_safety" if held else "refused_unchanged"


def _stays(asked: OperatorAsked, after: CoreState) -> bool:
    """Return whether what was to be released or allowed is as it was."""
    if asked.verb == "consent":
        return after.room.consent != asked.value
    return asked.verb == "release" and _held(asked, after)


def _held(asked: OperatorAsked, after: CoreState) -> bool:
    return any(
        p.actuator == asked.actuator and p.priority == "manual" and not p.source.startswith(PAUSE)
        for p in after.holdings.values()
    )
