"""Heating of a simulated room with people as recorded: python -m tests.bench.energy

The people are those of SDU 2018 (two teaching rooms, 15 days, one count a minute). Nobody recorded
their calendar, so it is made of them, with a fixed seed: every stay of 20 minutes or more was
booked, in quarter hours, and three bookings in ten are added that nobody came to. The room is the
one of tests/plugins/building.py in a winter of 4 degrees; the plugin runs in its sandbox.
"""

import csv
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.contracts.plugin import PluginEvent
from edge.plugins.runner import Runner
from edge.plugins.sandbox import Sandbox
from tests.bench._room import tell
from tests.plugins.building import Building
from tests.plugins.guests import shipped

ROOMS = (1, 4)
MINUTE = 60.0
START = 1_768_172_400.0
"""A Monday's midnight in January, in Berlin."""
COMFORT, SETBACK, COLD = 21.5, 18.0, 20.5
LEADS_MIN = (60, 90, 120, 150, 180, 240)
"""What an installer may have told the calendar's plain rule; the plugin learns its own."""
NO_SHOW_MIN, NO_SHOWS = 10, 0.3
QUARTER = 15
KWH = 3.6e6

Calendar = Sequence[tuple[int, int]]
"""Bookings as (first minute, minute after the last)."""


def recorded(root: Path, room: int) -> list[int]:
    """Return how many people were there, minute by minute."""
    path = root / "occupancy" / "sdu2018" / f"occ_data_room_{room}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [round(float(row[f"Room {room}"])) for row in csv.DictReader(file)]


def calendar(people: Sequence[int], seed: int) -> Calendar:
    """Return the stays as bookings, and bookings that nobody came to between them."""
    booked: list[tuple[int, int]] = []
    began: int | None = None
    for minute, count in enumerate([*people, 0]):
        if count and began is None:
            began = minute
        if not count and began is not None:
            if minute - began >= 20:
                first, last = began // QUARTER * QUARTER, -(-minute // QUARTER) * QUARTER
                if booked and first <= booked[-1][1]:
                    first = booked.pop()[0]
                booked.append((first, last))
            began = None
    rng = random.Random(seed)
    wanted = round(len(booked) * NO_SHOWS / (1 - NO_SHOWS))
    for _ in range(1000):
        if not wanted:
            break
        first = rng.randrange(len(people) // 1440) * 1440 + 8 * 60 + rng.randrange(36) * QUARTER
        last = first + 60
        if all(last + 30 < a or first > b + 30 for a, b in booked):
            booked.append((first, last))
            wanted -= 1
    return sorted(booked)


@dataclass(frozen=True)
class Lived:
    """What one way of heating came to: energy, and how often people sat in the cold."""

    kwh: float
    cold: float
    used: int


def live(people: Sequence[int], setpoint: Callable[[int, Building], float]) -> Lived:
    """Let the recorded days pass in one room."""
    room = Building(START, seed=1, cloud=0.6)
    cold = used = 0
    for minute, count in enumerate(people):
        room.setpoint = setpoint(minute, room)
        room.step(count, MINUTE)
        used += count > 0
        cold += count > 0 and room.temperature < COLD
    return Lived(room.heat_j / KWH, cold, used)


def by_calendar(booked: Calendar, lead: int) -> Callable[[int, Building], float]:
    """Return comfort from `lead` minutes before each booking to its end, whoever comes."""

    def setpoint(minute: int, _: Building) -> float:
        soon = any(first - lead <= minute < last for first, last in booked)
        return COMFORT if soon else SETBACK

    return setpoint


def by_plugin(people: Sequence[int], booked: Calendar, runner: Runner) -> Callable[..., float]:
    """Return what the climate plugin asks for, told each minute what a room would know."""

    def setpoint(minute: int, room: Building) -> float:
        event = told(minute, people, booked, room)
        (command,) = runner.call((event,), room.wall, 1).commands
        return float(command.value)

    return setpoint


def told(minute: int, people: Sequence[int], booked: Calendar, room: Building) -> PluginEvent:
    """Return the room's minute: checked in once people come, released when nobody does."""
    now = next(((a, b) for a, b in booked if a - 10 <= minute < b), None)
    came = now is not None and any(people[max(0, now[0] - 10) : minute + 1])
    missed = now is not None and not came and minute >= now[0] + NO_SHOW_MIN
    following = next((a for a, _ in booked if a > minute), None)
    return PluginEvent(
        id=str(minute),
        kind="tick",
        occupied=people[minute] > 0,
        count=people[minute],
        meeting="none" if now is None or missed else "active" if came else "pending",
        started=now is not None and minute >= now[0],
        minutes_to_next=-1.0 if following is None else float(following - minute),
        readings=room.readings(),
    )


def main() -> None:
    root = Path(os.environ.get("ROOMKEEPER_DATA", ""))
    if not (root / "occupancy" / "sdu2018").is_dir():
        print("skipped: ROOMKEEPER_DATA names no folder with occupancy/sdu2018")
        return
    totals: dict[str, list[Lived]] = {"always": [], "plugin": []}
    box = Sandbox()
    try:
        for room in ROOMS:
            people = recorded(root, room)
            booked = calendar(people, seed=room)
            runner = Runner(shipped("climate")[0])
            runner.load(box)
            totals["always"].append(live(people, lambda *_: COMFORT))
            for lead in LEADS_MIN:
                lived = live(people, by_calendar(booked, lead))
                totals.setdefault(f"calendar, {lead} min", []).append(lived)
            totals["plugin"].append(live(people, by_plugin(people, booked, runner)))
            runner.close()
    finally:
        box.close()
    report(totals)


def cold_share(lived: Sequence[Lived]) -> float:
    """Return the percentage of the minutes with people in which they sat in the cold."""
    return 100 * sum(x.cold for x in lived) / sum(x.used for x in lived)


def report(totals: dict[str, list[Lived]]) -> None:
    """Print what the ways came to: beside always, an hour, and the hours this comfort needs."""
    kwh = {name: sum(x.kwh for x in lived) for name, lived in totals.items()}
    cold = {name: cold_share(lived) for name, lived in totals.items()}
    leads = [f"calendar, {lead} min" for lead in LEADS_MIN]
    as_warm = next((name for name in leads if cold[name] <= cold["plugin"]), leads[-1])
    for peer in dict.fromkeys(("always", leads[0], as_warm)):
        tell(f"heating, climate plugin or {peer}", kwh["plugin"], "kWh", peer, kwh[peer])
        what = f"people below {COLD} C, climate plugin or {peer}"
        tell(what, cold["plugin"], "% of the time", peer, cold[peer] or None)


if __name__ == "__main__":
    main()
