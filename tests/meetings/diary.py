"""Drives meetings.step alone, at instants the test names, in seconds after an epoch."""

import math
from dataclasses import dataclass, field, replace

from edge.contracts.base import Now
from edge.contracts.signals import CalendarRead, CalendarWritten, Meeting, OperatorAsked, Woke
from edge.fusion.state import Evidence, Presence, RoomState
from edge.meetings.life import Life, MeetingRules
from edge.meetings.step import Moment, next_due, step

EPOCH = 1_780_000_000.0
RULES = MeetingRules()
HERE = Presence(
    occupied=True, probability=0.98, count=3, counted=True, known=True,
    evidence=(Evidence("camera", 4.0, "3 people in view"),),
)  # fmt: skip
UNSEEN = Evidence("camera", -2.5, "0 people in view", "camera")
SILENT = Evidence("microphone", -0.3, "no speech", "voice")
EMPTY = Presence(
    occupied=False, probability=0.05, counted=True, known=True, evidence=(UNSEEN, SILENT)
)
UNKNOWN = Presence()
GUESS = Presence(occupied=True, known=False)


def meeting(uid="m", start=600.0, minutes=30.0, **more):
    return Meeting(uid, EPOCH + start, EPOCH + start + minutes * 60, href=f"/{uid}", **more)


@dataclass
class Diary:
    """`at`: seconds after EPOCH; effects: all that was asked of the calendar so far."""

    rules: MeetingRules = RULES
    presence: Presence = EMPTY
    at: float = 0.0
    trusted: bool = True
    paused: bool = False
    lives: dict = field(default_factory=dict)
    effects: list = field(default_factory=list)
    steps: int = 0

    @property
    def now(self):
        return Now(EPOCH + self.at, 1000.0 + self.at, True)

    def say(self, signal, at=None, presence=None):
        """Return the effects of one step."""
        self.at = self.at if at is None else at
        self.presence = presence or self.presence
        self.steps += 1
        room = RoomState(presence=self.presence, clock_trusted=self.trusted)
        ident = f"r-1-{self.steps}"
        moment = Moment(signal, ident, room, self.now, self.rules, self.paused)
        self.lives, effects = step(self.lives, moment)
        self.effects += effects
        return effects

    def wake(self, at=None, presence=None):
        return self.say(Woke(), at, presence)

    def read(self, *meetings, at=None):
        return self.say(CalendarRead("calendar", meetings), at)

    def ask(self, verb, at=None, **more):
        return self.say(OperatorAsked("panel", verb, **more), at)

    def written(self, ident, outcome="ok", at=None):
        return self.say(CalendarWritten("calendar", ident, outcome, "busy"), at)

    def life(self, uid="m") -> Life:
        return self.lives[f"{uid}/"]

    def phase(self, uid="m"):
        return self.life(uid).phase

    def end(self, uid="m"):
        return self.life(uid).end - EPOCH

    def active(self):
        return [key for key, life in self.lives.items() if life.phase == "active"]

    def verbs(self):
        return [effect.verb for effect in self.effects]

    def due(self):
        return next_due(self.lives, self.rules, self.now) - EPOCH

    def run(self, until, presence=None):
        """Live through every due instant up to `until`."""
        self.presence = presence or self.presence
        for _ in range(1000):
            due = self.due()
            if due > until or math.isinf(due):
                return self.wake(until)
            self.wake(due)
        raise AssertionError("asks to be woken again and again")


def at_phase(phase, **rules):
    """Return a diary with the meeting `m` (600 to 2400 s) in `phase`, every write answered."""
    diary = Diary(replace(RULES, **rules))
    diary.read(meeting())
    match phase:
        case "open":
            diary.wake(0.0)
        case "active":
            diary.wake(600.0, HERE)
        case "ended":
            diary.wake(600.0, HERE)
            diary.ask("end", 700.0)
        case "no_show":
            diary.run(1200.0, EMPTY)
        case "cancelled":
            diary.read(meeting(cancelled=True), at=10.0)
        case "declined":
            diary = Diary(replace(RULES, **rules))
            diary.read(meeting("rival", 0.0, 60.0), meeting())
        case "booked":
            diary = Diary(replace(RULES, **rules), at=-100.0)
            diary.read(meeting())
    assert diary.phase() == phase
    for effect in diary.effects:
        if effect.verb != "extend":
            diary.written(effect.id)
    diary.effects.clear()
    return diary
