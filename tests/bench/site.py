"""What a whole site costs while it runs: `python -m tests.bench.site`.

Brokers, calendar, hypervisor, service, devices, one room with a camera at 2 frames/s and a
microphone, three people in it, a page of the panel open all the time. Memory and processor time of
each process from /proc over 30 s; then how long each takes to end, how long a new meeting takes to
the panel's page, and how long a room takes from its start to its first decision.
"""

import os
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from edge.journal import open_reader
from tests.bench._room import EDGE, tell
from tests.world.media import make_clip, make_sound
from tests.world.mosquitto import free_port
from tests.world.places import ENV, ROOT
from tests.world.probes import healthy
from tests.world.site import Media, Site, Wishes
from tests.world.supervisor import python
from tests.world.waiting import until

SETTLE_S = 8.0
WATCH_S = 30.0
CHANGES = 5
STARTS = 5
PROCESSES = ("edge", "ingest", "reconcile", "admin", "broker-room", "broker-site", "calendar")
PRODUCT = ("edge", "ingest", "reconcile", "admin")
HEALTH: dict[str, Callable[[Site], int]] = {
    "edge": lambda site: site.ports.edge,
    "ingest": lambda site: site.ports.ingest,
    "reconcile": lambda site: site.ports.reconcile,
    "admin": lambda site: site.ports.admin_health,
}
ENDS = 3
TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return the process and its children, theirs included."""
    found = [pid]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found += tree(int(child))
    return found


def memory_mb(pid: int) -> float:
    """Return what a process and its children keep in memory, shared pages counted once."""
    kilobytes = 0
    for each in tree(pid):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            kilobytes += int(line.split()[1]) if line.startswith("Pss:") else 0
    return kilobytes / 1024


def resident_mb(pid: int) -> float:
    """Return the resident memory of one process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def seconds_used(pid: int) -> float:
    """Return the processor seconds of a process and its children that still run."""
    ticks = 0
    for each in tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def costs(site: Site) -> None:
    pids = {name: site.supervisor.pid(name) for name in PROCESSES}
    before = {name: seconds_used(pid) for name, pid in pids.items()}
    began = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{site.ports.panel}/events", timeout=10):
        time.sleep(WATCH_S)
        elapsed = time.monotonic() - began
        for name, pid in pids.items():
            share = (seconds_used(pid) - before[name]) / elapsed * 100
            tell(f"{name}: processor, camera and microphone on", share, "% of a core")
            tell(f"{name}: memory (Pss)", memory_mb(pid), "MB")
    tell("edge: resident memory", resident_mb(pids["edge"]), "MB")


def shown(site: Site, title: str) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{site.ports.panel}/", timeout=5) as answer:
        return title in answer.read().decode()


def calendar_to_panel(site: Site) -> None:
    taken = []
    for number in range(CHANGES):
        # Each new one begins before the others, so that the panel shows it next.
        start = float(int(time.time() + 3600 * (CHANGES + 1 - number)))
        site.book(f"bench-{number}", start, start + 600, f"Figure {number} of the bench")
        began = time.monotonic()
        until(lambda n=number: shown(site, f"Figure {n} of the bench"), 20, "shown")
        taken.append(time.monotonic() - began)
        time.sleep(0.3 * number)
    tell("calendar change to panel, 1 s polling, p50", statistics.median(taken), "s")
    tell("calendar change to panel, 1 s polling, max", max(taken), "s")


def decided(journal: Path) -> float:
    """Return the wall time of a journal's first decision, 0 while there is none."""
    with open_reader(journal) as reader:
        return next((row.now.wall for row in reader.read() if row.kind == "decision"), 0.0)


def starts(site: Site) -> None:
    """The same room, with camera and microphone, again and again from an empty journal."""
    taken = []
    config = (site.folder / "room.toml").read_text()
    for number in range(STARTS):
        folder = site.folder / f"start-{number}"
        folder.mkdir()
        health = free_port()
        (folder / "room.toml").write_text(
            config.replace(f"port = {site.ports.edge}", f"port = {health}")
            .replace(f"port = {site.ports.panel}", "port = 0")
            .replace(str(site.journal), "room.journal")
            .replace('id = "aurora"', f'id = "start{number}"')
        )
        (folder / "calendar.password").touch(mode=0o600)
        (folder / "calendar.password").write_text(site.account.password)
        began = time.time()
        process = subprocess.Popen(
            [*python(*EDGE), str(folder / "room.toml")], env={**os.environ, **ENV}, cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            # Not before: who reads a journal that is being made may stop its maker.
            until(lambda port=health: healthy(port), 30, "the room is well")
            until(lambda f=folder: decided(f / "room.journal"), 30, "a decision")
            taken.append(decided(folder / "room.journal") - began)
        finally:
            process.terminate()
            process.wait(10)
    tell("edge: start to first decision, p50", statistics.median(taken), "s")
    tell("edge: start to first decision, max", max(taken), "s")


def ends(site: Site) -> None:
    """Each process of the product asked to end, from SIGTERM until it is gone."""
    taken: dict[str, list[float]] = {}
    for _ in range(ENDS):
        for name in PRODUCT:
            until(lambda name=name: site.supervisor.pid(name) > 0, 30, "it runs")
            until(lambda name=name: healthy(HEALTH[name](site)), 30, "it is well")
            pid = site.supervisor.pid(name)
            began = time.monotonic()
            os.kill(pid, signal.SIGTERM)
            until(lambda pid=pid: not Path(f"/proc/{pid}/cmdline").exists(), 30, "it is gone")
            taken.setdefault(name, []).append(time.monotonic() - began)
            until(lambda name=name, pid=pid: site.supervisor.pid(name) != pid, 30, "started again")
    for name, seconds in taken.items():
        tell(f"{name}: SIGTERM to its end, max", max(seconds), "s")


def main() -> None:
    cache = ROOT / "build" / "media"
    cache.mkdir(parents=True, exist_ok=True)
    people = [(0.0, 3), (200.0, 3)]
    camera = str(make_clip(cache, tuple(people)))
    microphone = str(make_sound(cache, 200.0, [(2.0, 190.0)]))
    with tempfile.TemporaryDirectory(prefix="roomkeeper-bench-") as name:
        media = Media(camera, microphone, people)
        site = Site(Path(name) / "site", Wishes(), lambda _who, _text: None, media)
        try:
            site.up()
            time.sleep(SETTLE_S)
            costs(site)
            ends(site)
            calendar_to_panel(site)
            starts(site)
        finally:
            site.close()


if __name__ == "__main__":
    main()
