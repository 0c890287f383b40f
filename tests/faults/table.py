"""The table of faults: each part killed again and again under load.

    python -m tests.faults.table [--kills 10] [--part NAME ...] [--write]

Exit code 0 when nothing was lost, nothing doubled, no machine left over, and the journal proves it.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from tests.faults.marked import write_between
from tests.faults.outside import arrivals, proven
from tests.faults.parts import BY_NAME, PARTS, Part, Recovered
from tests.faults.world import PERIODS_S, World
from tests.world.demo import stoppable
from tests.world.probes import SiteError, wait_for
from tests.world.site import ROOM

RECOVERY_S = 60.0
CALM_S = (0.2, 2.5)
HEAD = (
    "| part | killed | works again when | p50 s | max s | rows | lost | doubled | orphans |",
    "|---|---:|---|---:|---:|---:|---:|---:|---:|",
)


@dataclass(frozen=True)
class Result:
    """What killing one part came to. seconds: from each kill to its recovery."""

    part: Part
    seconds: Sequence[float]
    rows: int
    lost: int
    doubled: int
    orphans: int

    @property
    def clean(self) -> bool:
        """Whether nothing is lost, doubled or left over."""
        return not (self.lost or self.doubled or self.orphans)

    def line(self) -> str:
        """Return the table's row."""
        middle = statistics.median(self.seconds)
        return (
            f"| {self.part.name} | {len(self.seconds)} | {self.part.sign} | {middle:.1f} |"
            f" {max(self.seconds):.1f} | {self.rows} | {self.lost} | {self.doubled} |"
            f" {self.orphans} |"
        )


def torment(world: World, part: Part, kills: int, chance: random.Random, settle_s: float) -> Result:
    """Kill one part `kills` times at random moments; compare with the service after the last."""
    seconds = []
    head = world.follower.poll().head
    for number in range(kills):
        if part.fresh_meeting and number:
            world.meet()
        _let_pass(world, chance.uniform(*CALM_S))
        began = time.monotonic()
        recovered = part.kill(world)
        _wait_for_recovery(world, part, recovered)
        seconds.append(time.monotonic() - began)
        world.tell(part.name, f"killed, works again after {seconds[-1]:.2f} s")
    _let_pass(world, settle_s)
    last = world.settle(RECOVERY_S)
    found = arrivals(world.journal, world.folder / "cloud.db", ROOM, last)
    doubled = found.doubled + len(world.follower.twice())
    rows = world.follower.head - head
    return Result(part, seconds, rows, found.lost, doubled, world.orphans())


def _wait_for_recovery(world: World, part: Part, recovered: Recovered) -> None:
    """Return when the part works again; else raise SiteError with every service's last lines."""
    world.missing = []
    try:
        wait_for(f"recovery of {part.name}", recovered, RECOVERY_S)
    except SiteError as error:
        names = ("edge", "reconcile", part.name)
        logs = (f"{name}: {world.log(name).read_text(errors='replace')[-3000:]}" for name in names)
        raise SiteError("\n".join((f"{error} missing: {world.missing}", *logs))) from None


def _let_pass(world: World, seconds: float) -> None:
    """Follow the journal for a while."""
    end = time.monotonic() + seconds
    wait_for("time", lambda: time.monotonic() >= end and bool(world.follower.poll()), seconds + 5)


def finish(world: World) -> list[str]:
    """Empty the room, end the meeting, let everything settle; return what is wrong then."""
    world.load.rest()
    world.leave()
    _let_pass(world, PERIODS_S)
    last = world.settle(RECOVERY_S)
    found = arrivals(world.journal, world.folder / "cloud.db", ROOM, last)
    problems = []
    if world.orphans():
        problems.append(f"machines left over: {world.guests()}, listed {world.domains()}")
    if world.watch.seconds:
        problems.append(f"two machines at once: {sorted(world.watch.seconds)}")
    if found.lost or found.doubled:
        problems.append(f"at the end: {found}")
    wrong = proven(world.journal)
    return [*problems, *([wrong] if wrong else [])]


def run(
    parts: Sequence[Part],
    kills: int,
    seed: int,
    *,
    settle_s: float = PERIODS_S,
    tell: Callable[[str, str], None] = lambda _who, _text: None,
    show: Callable[[Result], None] = lambda _result: None,
) -> tuple[list[Result], list[str]]:
    """Bring a site up, kill each part, end; return the results and what was wrong at the end.

    settle_s: how long machines may take to be right after the last kill of a part.
    """
    chance = random.Random(seed)
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="rk-faults-") as name:
        world = World(Path(name), tell)
        try:
            world.begin()
            for part in parts:
                results.append(torment(world, part, kills, chance, settle_s))
                show(results[-1])
            problems = finish(world)
        finally:
            stubborn = world.end()
    return results, [*problems, *(f"had to be killed: {one}" for one in stubborn)]


@click.command()
@click.option("--kills", default=10, help="How often each part is killed.")
@click.option("--part", "names", multiple=True, type=click.Choice(list(BY_NAME)))
@click.option("--seed", default=1)
@click.option("--write", is_flag=True, help="Write the table into BENCHMARKS.md.")
def main(kills: int, names: tuple[str, ...], seed: int, write: bool) -> None:
    """Kill each part of a site under load and print what came of it."""
    parts = [BY_NAME[name] for name in names] or list(PARTS)
    with stoppable():
        try:
            results, problems = run(parts, kills, seed, tell=_say, show=_show)
        except SiteError as error:
            click.secho(str(error), fg="red")
            sys.exit(1)
    lines = [*HEAD, *(result.line() for result in results)]
    click.echo("\n" + "\n".join(lines))
    click.echo(f"load average at the end: {os.getloadavg()[0]:.1f}")
    for problem in problems:
        click.secho(f"PROBLEM {problem}", fg="red")
    if write:
        write_between("faults", lines)
    sys.exit(0 if not problems and all(result.clean for result in results) else 1)


def _show(result: Result) -> None:
    click.echo(result.line())


def _say(who: str, text: str) -> None:
    click.echo(click.style(f"{time.strftime('%H:%M:%S')}  {who:<12} {text}", dim=True))


if __name__ == "__main__":
    main()
