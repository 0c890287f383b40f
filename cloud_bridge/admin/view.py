"""overview(...): what needs attention first, and every room as it is now. Pure."""

from dataclasses import dataclass
from typing import Literal

from cloud_bridge.admin.attention import Attention, attention
from cloud_bridge.admin.facts import Facts, Part
from cloud_bridge.admin.live import Live
from cloud_bridge.admin.rooms import RoomView, room_view
from cloud_bridge.admin.say import Say

OLD_S = 15.0
"""A page whose last reading of the database is older says so."""
ROOMS_SHOWN, ATTENTION_SHOWN = 200, 30

State = Literal["loading", "empty", "stale", "ready"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A process of the service in one word."""

    name: str
    tone: str
    icon: str
    word: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page. more: matters beyond those listed."""

    state: State
    tone: str
    icon: str
    headline: str
    summary: str
    read: str
    attention: tuple[Attention, ...]
    more: int
    rooms: tuple[RoomView, ...]
    parts: tuple[Badge, ...]


def overview(facts: Facts, say: Say) -> Overview:
    """Return the first page of this instant."""
    found = sorted(attention(facts, say), key=lambda one: (one.rank, one.since, one.where))
    lives = {live.room: live for live in facts.live}
    behind = dict(facts.behind)
    rooms = tuple(
        room_view(row, lives.get(row.room), behind.get(row.room, 0), say)
        for row in facts.rooms[:ROOMS_SHOWN]
    )
    state = _state(facts, say)
    tone, icon, headline = _headline(state, found)
    return Overview(
        state=state,
        tone=tone,
        icon=icon,
        headline=headline,
        summary=_summary(rooms, lives),
        read=say.exact(facts.read),
        attention=tuple(found[:ATTENTION_SHOWN]),
        more=max(0, len(found) - ATTENTION_SHOWN),
        rooms=rooms,
        parts=(*(_badge(part) for part in facts.parts), _database(facts, state)),
    )


def _state(facts: Facts, say: Say) -> State:
    if not facts.read:
        return "loading"
    if facts.trouble or say.now - facts.read > OLD_S:
        return "stale"
    return "ready" if facts.rooms else "empty"


def _headline(state: State, found: list[Attention]) -> tuple[str, str, str]:
    if state == "loading":
        return "unknown", "loading", "Reading what is stored"
    if state == "stale":
        return "busy", "clock", "This page is not up to date"
    if state == "empty":
        return "unknown", "room", "No room has reported yet"
    if not found:
        return "free", "check", "All is well"
    urgent = any(one.rank <= 1 for one in found)
    count = "1 thing needs" if len(found) == 1 else f"{len(found)} things need"
    return "busy" if urgent else "pending", "warn", f"{count} attention"


def _summary(rooms: tuple[RoomView, ...], lives: dict[str, Live]) -> str:
    if not rooms:
        return ""
    online = sum(room.state != "offline" for room in rooms)
    used = sum(room.word in ("In use", "Occupied") for room in rooms)
    people = sum(
        lives[room.name].count
        for room in rooms
        if room.name in lives and room.state in ("ok", "degraded")
    )
    counted = "1 person" if people == 1 else f"{people} people"
    return f"{online} of {len(rooms)} rooms online · {used} in use · {counted}"


def _badge(part: Part) -> Badge:
    if part.answer == "ok":
        return Badge(part.name, "ok", "check", "runs")
    return Badge(part.name, "poor", "error", "away" if part.answer == "away" else "not well")


def _database(facts: Facts, state: State) -> Badge:
    if state == "loading" and not facts.trouble:
        return Badge("database", "unknown", "loading", "reading")
    return Badge("database", *(("poor", "error", "away") if state == "stale" or facts.trouble
                               else ("ok", "check", "answers")))  # fmt: skip
