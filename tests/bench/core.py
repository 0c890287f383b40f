"""What one signal costs in the pure core, the room busy: `python -m tests.bench.core`.

`--profile` prints where the time goes instead.
"""

import cProfile
import itertools
import json
import pstats
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from edge.contracts.commands import PluginCommand
from edge.contracts.signals import (
    MotionChanged,
    NodeReading,
    OccupancyEstimated,
    OperatorAsked,
    PeopleCounted,
    PluginAnswered,
    Signal,
    SoundMeasured,
)
from tests.world.room import Room, meeting

STEPS = 500
ROUNDS = 5


def busy_room() -> Room:
    """A room in mid-meeting, eight more today, two with machines, every source speaking."""
    room = Room()
    day = [
        meeting(f"m{n}", start=60 + n * 3600, categories=("demo" if n < 2 else "quiet",))
        for n in range(9)
    ]
    room.calendar(*day)
    room.say(NodeReading("board", "temperature", 21.0))
    room.say(NodeReading("board", "co2", 700.0))
    room.say(MotionChanged("board", True))
    room.say(OccupancyEstimated("occupancy", 0.8, "m"))
    people = [PeopleCounted("camera", 3, 0.4), SoundMeasured("microphone", -30.0, 0.9)]
    room.wait(120, people)
    assert room.state.lives["m0/"].phase == "active"
    return room


def readings() -> Iterator[Signal]:
    for n in itertools.count():
        yield NodeReading("board", "temperature", 21.0 + n % 7 / 10)


def answers() -> Iterator[Signal]:
    for n in itertools.count():
        lamp = PluginCommand("e", "light.main", 40.0 + n % 7, 60.0, "daylight")
        yield PluginAnswered("plugin:lights", ("e",), (lamp,), "state")


def wishes() -> Iterator[Signal]:
    for n in itertools.count():
        yield OperatorAsked("panel", "set", actuator="light.main", value=30 + n % 7, seconds=600.0)


KINDS: dict[str, Callable[[], Iterator[Signal]]] = {
    "core: a reading": readings,
    "core: a plugin's answer": answers,
    "core: a person's wish": wishes,
}


def steps(make: Callable[[], Iterator[Signal]]) -> list[float]:
    """Return the microseconds (of processor time) of each step."""
    room, times = busy_room(), []
    for signal in itertools.islice(make(), STEPS):
        # Far enough apart that the gate's rate lets the changes through.
        room.mono += 2.5
        room.wall += 2.5
        room.state, _ = room.core.step(room.state, PeopleCounted("camera", 3), "warm", room.now)
        begun = time.thread_time()
        room.state, _ = room.core.step(room.state, signal, "bench", room.now)
        times.append((time.thread_time() - begun) * 1e6)
    return times[100:500]


def dues() -> list[float]:
    """Return the microseconds of asking when the next step is due."""
    room, times = busy_room(), []
    for _ in range(STEPS):
        begun = time.thread_time()
        room.core.next_due(room.state, room.now)
        times.append((time.thread_time() - begun) * 1e6)
    return times[100:]


def main() -> None:
    if "--profile" in sys.argv:
        for name, make in KINDS.items():
            with cProfile.Profile() as profile:
                steps(make)
            print(name)
            pstats.Stats(profile).sort_stats("tottime").print_stats(18)
        return
    figures = {name: partial(steps, make) for name, make in KINDS.items()}
    for name, measure in {**figures, "core: when is it due": dues}.items():
        rounds = [statistics.median(measure()) for _ in range(ROUNDS)]
        # Of the rounds the least disturbed one: other work on the machine only ever adds.
        figure = {"figure": name, "value": round(min(rounds), 1), "unit": "us"}
        print(json.dumps({**figure, "peer": "", "ratio": None}))


if __name__ == "__main__":
    main()
