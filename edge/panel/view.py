"""view(...): the room's state as everything the page says, in one frozen value. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.contracts.base import Now
from edge.decide.core import CoreSettings, CoreState
from edge.panel.controls import Control, controls
from edge.panel.deeds import Deed, deeds
from edge.panel.gauges import Gauge, gauges
from edge.panel.machine import Desk, Machine, machine, offers
from edge.panel.meetings import Card, Day, day, next_card, now_card
from edge.panel.notices import Notice, notices
from edge.panel.options import Options
from edge.panel.past import Past
from edge.panel.status import Action, Status, actions, serving, status
from edge.panel.voice import Voice
from edge.panel.words import Words

DEEDS_SHOWN = 5
NO_CODES: Mapping[str, str] = {}
CONSENTS = (("all", "microphone"), ("counts", "camera"), ("off", "off"))


@dataclass(frozen=True, slots=True)
class Consent:
    """One of the three answers to "may the room look and listen?"."""

    name: str
    icon: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class PanelView:
    """All that is shown. clock: local time, "" when it is not trusted."""

    room: str
    clock: str
    status: Status
    actions: tuple[Action, ...]
    notices: tuple[Notice, ...]
    now: Card
    next: Card
    gauges: tuple[Gauge, ...]
    machine: Machine | None
    offers: tuple[Action, ...]
    deeds: tuple[Deed, ...]
    day: Day
    controls: tuple[Control, ...]
    consent: tuple[Consent, ...]
    automation: Action


def desk_of(settings: CoreSettings, options: Options, codes: Mapping[str, str] = NO_CODES) -> Desk:
    """Return what the machine's card rests on."""
    return Desk(settings.gate, codes, options.door)


def voice_of(words: Words, options: Options) -> Voice:
    """Return how this room's panel speaks in that language."""
    return Voice(words, options.zone, options.twelve_hours)


def view(
    state: CoreState,
    settings: CoreSettings,
    options: Options,
    words: Words,
    history: Sequence[Past],
    now: Now,
    codes: Mapping[str, str] = NO_CODES,
) -> PanelView:
    """Return the page of this instant. codes: those that the panel minted, by their seal."""
    voice = voice_of(words, options)
    served = serving(state, now)
    titles = options.titles
    desk = desk_of(settings, options, codes)
    return PanelView(
        room=options.name,
        clock=voice.clock(now.wall) if served.timed else "",
        status=status(state, served, settings.meetings, voice, now),
        actions=actions(served, state, settings.meetings, voice, now),
        notices=notices(state, options.seats, voice, now),
        now=now_card(served, titles, voice),
        next=next_card(served, titles, voice, now),
        gauges=gauges(state.room, settings.fusion, options.seats, voice, now),
        machine=machine(state, served, desk, voice, now),
        offers=offers(state, served, desk, voice, now),
        deeds=deeds(history, DEEDS_SHOWN, voice, now.wall),
        day=day(state.lives, titles, voice, now, served.timed),
        controls=controls(state, settings, voice, now),
        automation=_automation(state, voice),
        consent=tuple(
            Consent(name, icon, voice(f"consent_{name}"), state.room.consent == name)
            for name, icon in CONSENTS
        ),
    )


def _automation(state: CoreState, voice: Voice) -> Action:
    if state.pause is None:
        return Action("pause", voice("pause"), "pause", "plain")
    return Action("resume", voice("resume"), "play", "main")
