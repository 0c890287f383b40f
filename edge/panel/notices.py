"""What people should know before they trust the rest of the page. Pure."""

from dataclasses import dataclass
from typing import Literal

from edge.contracts.base import Now
from edge.decide.core import CoreState
from edge.fusion.state import SourceState
from edge.panel.voice import Voice

Tone = Literal["pending", "busy", "unknown"]
REASON_LIMIT = 120
MODES: dict[str, tuple[Tone, str]] = {
    "journal": ("busy", "error"),
    "policy": ("busy", "error"),
    "paused": ("pending", "pause"),
    "plugin": ("pending", "warn"),
    "blind": ("pending", "unknown"),
    "models": ("pending", "unknown"),
    "devices": ("busy", "warn"),
    "service": ("pending", "warn"),
}
"""How a fallback mode is shown; clock and calendar have lines of their own."""
COVERS = {
    "journal": "journal",
    "policy": "policy",
    "plugin": "plugin",
    "broker:room": "devices",
    "broker:site": "service",
}
"""The source whose loss a mode is told for."""


@dataclass(frozen=True, slots=True)
class Notice:
    """busy: something is lost; pending: less than it should be; unknown: good to know."""

    tone: Tone
    icon: str
    text: str


def notices(state: CoreState, seats: int, voice: Voice, now: Now) -> tuple[Notice, ...]:
    """Return what is wrong, worst first."""
    room = state.room
    found: list[Notice] = []
    if not (now.trusted and room.clock_trusted):
        found.append(Notice("busy", "clock", voice("clock_notice")))
    found += [_mode(name, state, voice, now) for name in state.modes if name in MODES]
    calendar = room.sources.get("calendar")
    if calendar is not None and calendar.health != "ok":
        found.append(_calendar(state, calendar, voice, now))
    ill = [
        (name, source)
        for name, source in sorted(room.sources.items())
        if source.health != "ok" and name != "calendar" and not _told(name, source, state)
    ]
    found += [_source(name, source, voice) for name, source in ill]
    if seats and room.presence.known and room.presence.count > seats:
        text = voice("over_capacity", n=room.presence.count, seats=seats)
        found.append(Notice("pending", "people", text))
    if any(life.reason.startswith("calendar: ") for life in state.lives.values() if life.pending):
        found.append(Notice("pending", "calendar", voice("write_refused")))
    return tuple(sorted(found, key=lambda notice: notice.tone != "busy"))


def source_name(source: str, voice: Voice) -> str:
    """Return a source's name for people, e.g. of `node:air`."""
    sort, _, name = source.partition(":")
    named = voice.words.get(f"source_{source.replace(':', '_')}", "")
    if named:
        return named
    word = voice.words.get(f"source_{sort}", sort)
    return f"{word} {name}".strip()


def _mode(name: str, state: CoreState, voice: Voice, now: Now) -> Notice:
    tone, icon = MODES[name]
    until = "" if state.pause is None else voice.moment(state.pause.wall, now.wall)
    stopped = ", ".join(source_name(source, voice) for source in _stopped(state))
    return Notice(tone, icon, voice(f"mode_{name}", time=until, name=stopped))


def _stopped(state: CoreState) -> list[str]:
    refused = {
        name
        for name, source in state.room.sources.items()
        if name.startswith("plugin:") and source.health == "lost"
    }
    return sorted({*refused, *state.quarantined})


def _told(name: str, source: SourceState, state: CoreState) -> bool:
    """Whether a mode says already what the loss of this source means."""
    mode = COVERS.get(name.partition(":")[0] if name.startswith("plugin:") else name)
    return source.health == "lost" and mode in state.modes


def _calendar(state: CoreState, source: SourceState, voice: Voice, now: Now) -> Notice:
    if state.room.calendar_at is None:
        return Notice("busy", "calendar", voice("calendar_never"))
    at = voice.moment(state.room.calendar_at, now.wall)
    tone: Tone = "busy" if source.health == "lost" else "pending"
    return Notice(tone, "calendar", voice("calendar_stale", time=at))


def _source(name: str, source: SourceState, voice: Voice) -> Notice:
    lost = source.health == "lost"
    key = "source_lost" if lost else "source_degraded"
    reason = f" ({source.reason[:REASON_LIMIT]})" if source.reason else ""
    icon = {"camera": "camera", "microphone": "microphone"}.get(name, "warn")
    return Notice(
        "busy" if lost else "pending", icon, voice(key, name=source_name(name, voice)) + reason
    )
