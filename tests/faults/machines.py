"""The table of killed processes behind the machines: what is killed at random, what comes of it.

    python -m tests.faults.machines [--kills 50] [--seed 1] [--write]

Before each kill a meeting is booked, moved or cancelled, and it hits at a random moment after
that: machines are then being made, booting, ready or ending. A stranger's machine runs beside
ours. Everything is judged from outside, by `virsh list` and the host's processes. Exit code 0 when
no machine was left over, none was there twice, memory held and the stranger was not touched.
"""

import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from cloud_bridge.vms.guest.build import build
from edge.contracts.wire import WantedMachine
from tests.faults.marked import write_between
from tests.faults.place import PERIODS_S, Place, wish
from tests.world.demo import stoppable
from tests.world.libvirtd import Libvirtd
from tests.world.places import ROOT
from tests.world.probes import SiteError, wait_for

PARTS = ("reconciler", "libvirtd", "guest", "broker")
MEETINGS = 2
CALM_S = 4.0
AGAIN_S = 120.0
HEAD = (
    "| killed | times | while machines were | all as wanted after: p50 s | max s | orphans |"
    " second machines |",
    "|---|---:|---|---:|---:|---:|---:|",
)

Tell = Callable[[str], None]


@dataclass
class Tally:
    """What killing one part came to. seconds: from the kill until everything is as wanted."""

    part: str
    seconds: list[float] = field(default_factory=list)
    phases: set[str] = field(default_factory=set)
    orphans: int = 0
    seconds_machines: int = 0

    def line(self) -> str:
        """Return the table's row."""
        phases = ", ".join(sorted(self.phases)) or "none"
        middle = statistics.median(self.seconds) if self.seconds else 0.0
        return (
            f"| {self.part} | {len(self.seconds)} | {phases} | {middle:.1f} |"
            f" {max(self.seconds, default=0.0):.1f} | {self.orphans} | {self.seconds_machines} |"
        )


class Torment:
    """Books, moves and cancels meetings, and kills what makes their machines."""

    def __init__(self, place: Place, seed: int, tell: Tell) -> None:
        self.place = place
        self.chance = random.Random(seed)
        self.tell = tell
        self.wishes: dict[str, WantedMachine] = {}
        self.hurt: set[str] = set()
        """Meetings whose guest was killed: a fresh one takes their place, as attempts add up."""

    def round(self, tally: Tally) -> None:
        """Change what is wanted, kill one part a moment later, see everything become right."""
        self._change()
        self._pass(self.chance.uniform(0.0, CALM_S))
        reports = self.place.room.told[-1].machines if self.place.room.told else ()
        tally.phases |= {report.phase for report in reports} - {"gone"}
        seconds = len(self.place.watch.seconds)
        began = time.monotonic()
        self._kill(tally.part)
        self._settled(tally.part)
        back = time.monotonic()
        wait_for("every wanted machine", self._as_wanted, AGAIN_S, self.place.reconciler.log)
        tally.seconds.append(time.monotonic() - began)
        self._pass(max(0.0, back + PERIODS_S - time.monotonic()))
        orphans = self.place.orphans(*self.wishes)
        tally.orphans += len(orphans)
        tally.seconds_machines += len(self.place.watch.seconds) - seconds
        self.tell(f"{tally.part} killed, as wanted after {tally.seconds[-1]:.1f} s {orphans or ''}")

    def end(self) -> list[str]:
        """Cancel everything; return what is wrong then."""
        self.wishes.clear()
        self._say()
        wait_for("the end of every machine", lambda: not self.place.guests(), AGAIN_S)
        self._pass(PERIODS_S)
        left = self.place.orphans()
        return [*self.place.problems(), *(f"left over: {name}" for name in left)]

    def _change(self) -> None:
        """Replace what was hurt; else book, cancel or move by chance."""
        for key in self.hurt & self.wishes.keys():
            del self.wishes[key]
        self.hurt.clear()
        what = self.chance.choice(("book", "book", "cancel", "move"))
        if self.wishes and (what == "cancel" or len(self.wishes) == MEETINGS):
            del self.wishes[self.chance.choice(sorted(self.wishes))]
        if self.wishes and what == "move":
            key = self.chance.choice(sorted(self.wishes))
            self.wishes[key] = wish(key, start=10.0, seconds=self.chance.uniform(1200, 2400))
        if what != "cancel" or not self.wishes:
            new = wish()
            self.wishes[new.key] = new
        self._say()

    def _say(self) -> None:
        self.place.room.say(*self.wishes.values())

    def _kill(self, part: str) -> None:
        match part:
            case "reconciler":
                self.place.reconciler.kill()
                self.place.reconciler.start()
            case "libvirtd":
                self.place.libvirtd.kill()
                self.place.libvirtd.start()
            case "broker":
                self.place.broker.restart()
            case _:
                self._kill_guest()

    def _kill_guest(self) -> None:
        wait_for("a machine to kill", lambda: bool(self.place.guests()), AGAIN_S)
        pid, name = self.chance.choice(sorted(self.place.guests().items()))
        os.kill(pid, signal.SIGKILL)
        wait_for("its end", lambda: pid not in self.place.guests(), 10)
        self.hurt.add(name.removeprefix("roomkeeper-"))

    def _settled(self, part: str) -> None:
        wait_for(f"{part} to be well again", self.place.well, AGAIN_S, self.place.reconciler.log)

    def _as_wanted(self) -> bool:
        """One running, listed and answering machine for each meeting."""
        names = {f"roomkeeper-{key}" for key in self.wishes}
        return (
            self.place.room.ready(*self.wishes)
            and names <= set(self.place.guests().values())
            and names <= set(self.place.listed() or ())
        )

    def _pass(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        wait_for("time", lambda: time.monotonic() >= end, seconds + 5)


def run(kills: int, seed: int, tell: Tell = lambda _text: None) -> tuple[list[Tally], list[str]]:
    """Kill `kills` times, each part as often; return a tally of each and what was wrong."""
    order = [PARTS[number % len(PARTS)] for number in range(kills)]
    random.Random(seed).shuffle(order)
    tallies = {part: Tally(part) for part in PARTS}
    build(ROOT / "build" / "guest")
    with (
        tempfile.TemporaryDirectory(prefix="rk-machines-") as name,
        Libvirtd() as libvirtd,
        Place(Path(name), libvirtd) as place,
    ):
        torment = Torment(place, seed, tell)
        for number, part in enumerate(order):
            tell(f"{number + 1} of {kills}")
            torment.round(tallies[part])
        problems = torment.end()
    return list(tallies.values()), problems


def lines_of(tallies: Sequence[Tally]) -> list[str]:
    """Return the table."""
    return [*HEAD, *(tally.line() for tally in tallies)]


@click.command()
@click.option("--kills", default=50, help="How often something is killed, all parts together.")
@click.option("--seed", default=1)
@click.option("--write", is_flag=True, help="Write the table into BENCHMARKS.md.")
def main(kills: int, seed: int, write: bool) -> None:
    """Kill what makes machines again and again and print what came of it."""
    with stoppable():
        try:
            tallies, problems = run(kills, seed, lambda text: click.echo(_stamped(text)))
        except SiteError as error:
            click.secho(str(error), fg="red")
            sys.exit(1)
    click.echo("\n" + "\n".join(lines_of(tallies)))
    click.echo(f"load average at the end: {os.getloadavg()[0]:.1f}")
    for problem in problems:
        click.secho(f"PROBLEM {problem}", fg="red")
    if write:
        write_between("machine-faults", lines_of(tallies))
    unclean = any(tally.orphans or tally.seconds_machines for tally in tallies)
    sys.exit(1 if problems or unclean else 0)


def _stamped(text: str) -> str:
    return click.style(f"{time.strftime('%H:%M:%S')}  {text}", dim=True)


if __name__ == "__main__":
    main()
