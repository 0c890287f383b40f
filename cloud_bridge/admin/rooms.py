"""A room's card: how it is now, as far as it is known. Pure."""

from dataclasses import dataclass

from cloud_bridge.admin.live import Live, Reading
from cloud_bridge.admin.meetings import title_of
from cloud_bridge.admin.say import NONE, STALE_S, Say, source_name
from cloud_bridge.store.looking import RoomRow

CO2_FAIR, CO2_POOR = 1000.0, 1400.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `tone` and `note` agree."""

    name: str
    icon: str
    label: str
    value: str
    unit: str
    tone: str
    note: str


@dataclass(frozen=True, slots=True)
class RoomView:
    """A room's card. state: loading, offline, stale, degraded or ok."""

    name: str
    state: str
    tone: str
    icon: str
    word: str
    meeting: str
    figures: tuple[Figure, ...]
    heard: str
    troubles: tuple[str, ...]


def room_view(row: RoomRow, live: Live | None, behind: int, say: Say) -> RoomView:
    """Return one room's card."""
    heard = max(row.seen, live.received if live else 0.0)
    troubles = () if live is None else tuple(
        source_name(name) for name, source in live.sources.items() if source.health != "ok"
    )  # fmt: skip
    state, (tone, icon, word) = "ok", _plate(live)
    if not row.online:
        state, tone, icon, word = "offline", "unknown", "off", "Offline"
    elif live is None or (live.occupied is None and behind):
        state, tone, icon, word = "loading", "unknown", "loading", "Reading"
    elif say.now - heard > STALE_S:
        state, tone, icon = "stale", "unknown", "clock"
    elif troubles:
        state = "degraded"
    return RoomView(
        name=row.room,
        state=state,
        tone=tone,
        icon=icon,
        word=word,
        meeting=_serving(live, say),
        figures=_figures(live, fresh=state in ("ok", "degraded"), say=say),
        heard=say.age(heard),
        troubles=troubles,
    )


def _plate(live: Live | None) -> tuple[str, str, str]:
    if live is None or live.occupied is None:
        return "unknown", "unknown", "Unknown"
    if live.phase == "active":
        return "busy", "busy", "In use"
    if live.occupied:
        return "ending", "people", "Occupied"
    if live.phase == "open":
        return "pending", "pending", "Reserved"
    return "free", "free", "Free"


def _serving(live: Live | None, say: Say) -> str:
    if live is None or live.phase not in ("open", "active"):
        return ""
    seen = live.meetings.get(live.meeting)
    return f"{title_of(seen)}, until {say.moment(seen.end)}" if seen else live.intent


def _figures(live: Live | None, *, fresh: bool, say: Say) -> tuple[Figure, ...]:
    known = live is not None and live.occupied is not None
    count = str(live.count) if known and live else NONE
    readings = live.readings if live else {}
    return (
        Figure("people", "people", "People", count, "", "ok" if fresh else "stale", ""),
        _reading("temperature", "Temp.", "°C", 1, readings.get("temperature"), fresh, say),
        _reading("co2", "CO₂", "ppm", 0, readings.get("co2"), fresh, say),
    )


def _reading(
    name: str, label: str, unit: str, digits: int, read: Reading | None, fresh: bool, say: Say
) -> Figure:
    if read is None:
        return Figure(name, name, label, NONE, "", "none", "not measured")
    value, old = f"{read.value:.{digits}f}", say.now - read.at > STALE_S or not fresh
    if old:
        return Figure(name, name, label, value, unit, "stale", say.age(read.at))
    if name == "co2" and read.value >= CO2_FAIR:
        poor = read.value >= CO2_POOR
        return Figure(name, name, label, value, unit, "poor" if poor else "fair",
                      "poor air" if poor else "stuffy")  # fmt: skip
    return Figure(name, name, label, value, unit, "ok", "")
