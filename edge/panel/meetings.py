"""Meetings as the panel may show them: cards for now and next, the day's timeline. Pure."""

from dataclasses import dataclass
from typing import Literal

from edge.contracts.base import Now
from edge.meetings.life import LIVE, Life, Lives
from edge.panel.options import Titles
from edge.panel.status import Serving
from edge.panel.voice import HOUR, Voice

WALK_UP = "Walk-up meeting"
TEXT_LIMIT = 120
BLOCK_TEXT_S = 1.75 * HOUR


@dataclass(frozen=True, slots=True)
class Card:
    """A meeting in words; `empty` when there is none and `title` says so."""

    title: str
    times: str = ""
    host: str = ""
    note: str = ""
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the day; left and width in percent of it; label "" when it is too narrow."""

    left: float
    width: float
    tone: Literal["past", "busy", "pending", "booked", "freed"]
    label: str
    spoken: str


@dataclass(frozen=True, slots=True)
class Tick:
    """An hour line; `text` is empty on the lesser ones."""

    left: float
    text: str


@dataclass(frozen=True, slots=True)
class Day:
    """The local day from midnight to midnight; now: percent of it, None with a clock untrusted."""

    name: str
    blocks: tuple[Block, ...]
    ticks: tuple[Tick, ...]
    now: float | None


def title(life: Life, titles: Titles, voice: Voice) -> str:
    """Return what may be shown as the meeting's title."""
    meeting = life.meeting
    if meeting.private:
        return voice("private_meeting")
    if titles == "none":
        return voice("reserved")
    if titles == "organiser":
        return _host(meeting.organiser) or voice("reserved")
    if meeting.title == WALK_UP and meeting.uid.endswith("@roomkeeper"):
        return voice("walk_up")
    return meeting.title.strip()[:TEXT_LIMIT] or voice("untitled")


def now_card(served: Serving, titles: Titles, voice: Voice) -> Card:
    """Return the card of the meeting under way."""
    if served.life is None:
        return _nothing(served, "nothing_now", voice)
    return _card(served.life, titles, voice, "")


def next_card(served: Serving, titles: Titles, voice: Voice, now: Now) -> Card:
    """Return the card of the next meeting of the day, or of a later one with its weekday."""
    life = served.following
    if life is None:
        return _nothing(served, "nothing_next", voice)
    away = voice("starts_in", time=voice.lasts(life.meeting.start - now.wall))
    if life.meeting.start >= voice.midnights(now.wall)[1]:
        away = voice.day(life.meeting.start)
    return _card(life, titles, voice, away)


def day(lives: Lives, titles: Titles, voice: Voice, now: Now, timed: bool) -> Day:
    """Return the timeline of the local day that `now` lies in."""
    start, end = voice.midnights(now.wall)
    length = end - start
    shown = [x for x in lives.values() if x.phase not in ("cancelled", "declined")]
    blocks = [
        _block(life, (start, length), titles, voice, now)
        for life in sorted(shown, key=lambda x: (x.meeting.start, x.meeting.key))
        if life.meeting.start < end and life.end > start and life.end > life.meeting.start
    ]
    hours = round(length / HOUR)
    ticks = [_tick(start, hour * HOUR, length, voice) for hour in range(1, hours)]
    at = 100 * (now.wall - start) / length if timed else None
    return Day(voice.day(now.wall), tuple(blocks), tuple(ticks), at)


def _tick(start: float, since: float, length: float, voice: Voice) -> Tick:
    hour = voice.local(start + since).hour
    return Tick(100 * since / length, f"{hour:02}" if hour % 2 == 0 else "")


def _nothing(served: Serving, key: str, voice: Voice) -> Card:
    """No meeting is only said when the calendar and the clock say so."""
    if not served.timed:
        key = "times_unknown"
    elif served.known != "yes":
        key = "loading_detail" if served.known == "loading" else "not_known"
    return Card(voice(key), empty=True)


def _card(life: Life, titles: Titles, voice: Voice, note: str) -> Card:
    shown = title(life, titles, voice)
    host = "" if life.meeting.private or titles == "none" else _host(life.meeting.organiser)
    if life.unread:
        note = voice("not_in_calendar_yet")
    times = voice.span(life.meeting.start, life.end)
    return Card(shown, times, "" if host == shown else host, note)


def _block(
    life: Life, window: tuple[float, float], titles: Titles, voice: Voice, now: Now
) -> Block:
    start, length = window
    left = max(0.0, life.meeting.start - start)
    right = min(length, life.end - start)
    times = voice.span(life.meeting.start, life.end)
    name = title(life, titles, voice)
    wide = right - left >= BLOCK_TEXT_S
    return Block(
        100 * left / length, 100 * (right - left) / length, _tone(life, now),
        name if wide else "", f"{times} {name}",
    )  # fmt: skip


def _tone(life: Life, now: Now) -> Literal["past", "busy", "pending", "booked", "freed"]:
    match life.phase:
        case "active":
            return "busy"
        case "open":
            return "pending"
        case "no_show":
            return "freed"
        case "booked" if life.end > now.wall and life.phase in LIVE:
            return "booked"
        case _:
            return "past"


def _host(organiser: str) -> str:
    name = organiser.strip()
    if name.lower().startswith("mailto:"):
        name = name[7:].split("@", 1)[0].replace(".", " ").title()
    return name[:TEXT_LIMIT]
