"""Why the room did it: an action, its cause, its evidence, and how to undo it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.contracts.commands import CalendarWrite, Command
from edge.contracts.decision import Decision
from edge.decide.core import CoreSettings, CoreState
from edge.decide.intents import named
from edge.panel import deeds
from edge.panel.controls import PAUSE, by_hand, show
from edge.panel.past import Past
from edge.panel.status import Action
from edge.panel.voice import NONE, Voice


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the explanation: a heading and what stands behind it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Why:
    """The explanation of one action. undo: None when there is nothing left to undo."""

    what: str
    at: str
    rows: tuple[Row, ...]
    evidence: tuple[str, ...]
    refused: tuple[str, ...]
    undo: Action | None


def explain(
    history: Sequence[Past],
    ident: str,
    state: CoreState,
    settings: CoreSettings,
    voice: Voice,
    wall: float,
) -> Why | None:
    """Return the explanation of a command or calendar write; None when it is not remembered."""
    for past in history:
        done = past.decision
        items: tuple[Command | CalendarWrite, ...] = (*done.commands, *done.writes)
        for item in items:
            if item.id == ident:
                undo = _undo(history, item, state, settings, voice)
                return _why(past, item, settings, undo, voice, wall)
    return None


def _why(
    past: Past,
    item: Command | CalendarWrite,
    settings: CoreSettings,
    undo: Action | None,
    voice: Voice,
    wall: float,
) -> Why:
    decision = past.decision
    rows = [Row(voice("why_reason"), item.reason or NONE), Row(voice("why_by"), _by(item, voice))]
    if decision.intent:
        rows.append(Row(voice("why_intent"), _intent(decision, settings)))
    rows.append(Row(voice("why_room"), _room(decision, voice)))
    rows.append(Row(voice("why_record"), f"{item.id} \u2190 {item.cause}"))
    refused = tuple(
        f"{v.source}: {v.actuator} = {v.value} ({v.stage} {v.rule})" for v in decision.verdicts
    )
    at = voice.moment(past.wall, wall)
    return Why(deeds.what(item, voice), at, tuple(rows), decision.evidence, refused, undo)


def _by(item: Command | CalendarWrite, voice: Voice) -> str:
    if isinstance(item, CalendarWrite):
        return voice("by_person") if deeds.by_hand(item) else voice("by_rules")
    sort, _, name = item.source.partition(":")
    return voice.words.get(f"by_{sort}", item.source) + (f" ({name})" if name else "")


def _intent(decision: Decision, settings: CoreSettings) -> str:
    intent = named(decision.intent, settings.intents)
    if intent is None:
        return decision.intent
    return ": ".join(filter(None, (intent.title, intent.description)))


def _room(decision: Decision, voice: Voice) -> str:
    key = "why_occupied" if decision.occupied else "why_empty"
    return voice(key, p=f"{decision.probability:.0%}", c=f"{decision.confidence:.0%}")


def _undo(
    history: Sequence[Past],
    item: Command | CalendarWrite,
    state: CoreState,
    settings: CoreSettings,
    voice: Voice,
) -> Action | None:
    if isinstance(item, CalendarWrite):
        life = state.lives.get(f"{item.uid}/{item.recurrence_id}")
        if item.verb in ("check_in", "book") and life is not None and life.phase == "active":
            fields = (("meeting", life.meeting.key),)
            return Action("end", voice("undo_end"), "undo", "main", fields)
        return None
    given = state.given.get(item.actuator)
    in_force = given is not None and (given.value, given.source) == (item.value, item.source)
    if not in_force or item.actuator not in settings.fallbacks:
        return None
    return _undo_command(history, item, settings, voice)


def _undo_command(
    history: Sequence[Past], item: Command, settings: CoreSettings, voice: Voice
) -> Action | None:
    if item.source.startswith(PAUSE):
        return Action("resume", voice("undo_resume"), "play")
    if by_hand(item):
        fields = (("actuator", item.actuator),)
        return Action("release", voice("undo_release"), "undo", "main", fields)
    value = deeds.before(history, item)
    if value is None:
        value = settings.fallbacks[item.actuator]
    if value == item.value:
        return None
    text = voice("undo_set", value=show(item.actuator, value, voice))
    return Action("set", text, "undo", "main", (("actuator", item.actuator), ("value", str(value))))
