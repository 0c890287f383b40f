"""One real meeting, end to end, on this machine: `make demo`.

Exit code 0 when every step of the meeting happened, the machine was ready before the start, the
journal is unbroken and its replay made the same decisions.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click

from edge.cli import painted
from edge.journal import open_reader
from edge.timeline import Timeline
from tests.world.media import make_clip, make_sound
from tests.world.places import BIN, ROOT
from tests.world.probes import SiteError, wait_for
from tests.world.site import Media, Site, Wishes
from tests.world.summary import Story

UID = "demo-meeting"


@dataclass(frozen=True)
class Plan:
    """When things happen, in seconds after the room is up; the meeting is booked for `start`."""

    start: float = 60.0
    length: float = 40.0
    arrive: float = 54.0
    second: float = 62.0
    leave: float = 118.0
    clip: float = 200.0
    give_up: float = 190.0

    @property
    def people(self) -> list[tuple[float, int]]:
        return [
            (0.0, 0), (self.arrive, 1), (self.second, 2), (self.second + 4, 3),
            (self.leave, 1), (self.leave + 4, 0), (self.clip, 0),
        ]  # fmt: skip


FULL = Plan()
SHORT = Plan(start=30, length=20, arrive=26, second=31, leave=62, clip=130, give_up=110)


class Stopped(Exception):  # noqa: N818
    """Somebody asked the demo to end."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into Stopped; later ones are ignored while we clean up."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        raise Stopped

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, stop)
    yield


@click.command()
@click.option("--stay", is_flag=True, help="Stay up after the meeting until Ctrl-C.")
@click.option("--short", is_flag=True, help="A shorter meeting, as the tests use it.")
@click.option("--camera", default="", help="A camera, file or address instead of the clip.")
@click.option("--microphone", default="", help="An audio input or file instead of the sound.")
@click.option("--calendar", default="", help="https://user:password@host/path/ of a calendar.")
@click.option("--keep", type=click.Path(path_type=Path), help="Copy the journal here at the end.")
def main(
    stay: bool, short: bool, camera: str, microphone: str, calendar: str, keep: Path | None
) -> None:
    """Live through one meeting and say how it went."""
    plan = SHORT if short else FULL
    site: Site | None = None
    code = 1
    with stoppable(), tempfile.TemporaryDirectory(prefix="roomkeeper-demo-") as name:
        folder = Path(name)
        try:
            media = _media(plan, camera, microphone)
            site = Site(folder, Wishes(calendar=calendar, extend_s=plan.length), _say, media)
            code = _live(site, plan, stay)
        except Stopped:
            _say("demo", "stopping")
            code = 130
        except SiteError as error:
            _say("demo", str(error))
        finally:
            if site is not None:
                left = site.close()
                if left:
                    _say("demo", f"had to be killed: {', '.join(left)}")
                if keep is not None and site.journal.exists():
                    _copy(site.journal, keep)
        _say("demo", "everything is stopped" if code != 1 else "the demo failed")
    sys.exit(code)


def _media(plan: Plan, camera: str, microphone: str) -> Media:
    cache = ROOT / "build" / "media"
    cache.mkdir(parents=True, exist_ok=True)
    if not camera:
        _say("demo", "composing the clip (kept in build/media)")
        camera = str(make_clip(cache, tuple(plan.people)))
    if not microphone:
        talk = [(plan.arrive + 2, plan.leave)]
        microphone = str(make_sound(cache, plan.clip, talk))
    return Media(camera, microphone, plan.people)


def _live(site: Site, plan: Plan, stay: bool) -> int:
    _say("demo", f"starting brokers, calendar, hypervisor, service, devices, room in {site.folder}")
    site.up()
    panel, admin = (f"http://127.0.0.1:{port}/" for port in (site.ports.panel, site.ports.admin))
    _say("panel", f"{panel}  (the room's touch panel)")
    _say("admin", f"{admin}  (user admin, one-time password {site.admin_password()})")
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        for page in (panel, admin):
            webbrowser.open(page)
    start = float(int(time.time() + plan.start))
    site.book(UID, start, start + plan.length, "Live demonstration #demo")
    _say("demo", f"booked a meeting at {time.strftime('%H:%M:%S', time.localtime(start))}")
    story = Story(UID, start)
    _follow(site, story, start + plan.give_up - plan.start)
    problems = story.missing + _proofs(site)
    click.echo("\nWhat happened (seconds from the meeting's start):")
    click.echo(story.table())
    for problem in problems:
        click.secho(f"  MISSING  {problem}", fg="red")
    if stay:
        _say("demo", f"staying up; journal: {site.journal}; Ctrl-C ends it")
        _follow(site, story, float("inf"))
    return 1 if problems else 0


def _follow(site: Site, story: Story, until: float) -> None:
    """Show the journal as it grows, until the story is complete or its time is over."""
    timeline = Timeline()
    after = 0
    with open_reader(site.journal) as reader:
        while time.time() < until:
            for row in reader.read(after):
                after = row.seq
                story.take(row)
                for line in timeline.lines(row.kind, row.id, row.body or b""):
                    click.echo(painted(line, row.now, story.start))
            if not story.missing and until != float("inf"):
                return
            time.sleep(0.1)


def _proofs(site: Site) -> list[str]:
    """Check what the room says of itself with its own commands."""
    problems = []
    wait_for("the service has everything", site.service_has_all, 15)
    for command in (["audit", "verify"], ["replay"]):
        done = subprocess.run(
            [str(BIN / "roomkeeper-edge"), *command, str(site.journal)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        click.echo(f"  {' '.join(command)}: {(done.stdout or done.stderr).strip()}")
        if done.returncode:
            problems.append(f"{' '.join(command)}: {done.stderr.strip()}")
    return problems


def _copy(journal: Path, target: Path) -> None:
    with sqlite3.connect(journal) as source, sqlite3.connect(target) as copy:
        source.backup(copy)


def _say(who: str, text: str) -> None:
    click.echo(click.style(f"{time.strftime('%H:%M:%S')}  {who:<12} {text}", dim=True))


if __name__ == "__main__":
    main()
