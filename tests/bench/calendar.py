"""How soon a calendar change is a signal, and what a poll costs.

    python -m tests.bench.calendar [--changes 20] [--events 200]

The peer is a bare loop of GET over http.client on the same calendar in the same run.
"""

import argparse
import base64
import http.client
import statistics
import threading
import time
from zoneinfo import ZoneInfo

import msgspec

from edge.contracts.signals import CalendarRead, Signal
from edge.process.dav import Dav, DavAccount
from edge.signals.calendar import CalendarSettings, CalendarSource
from edge.signals.calendar_files import CalendarFiles
from tests.world.ics import calendar, event
from tests.world.servers import Radicale


def tell(figure: str, value: float, unit: str, peer: float | None = None) -> None:
    row: dict[str, object] = {"figure": figure, "value": round(value, 3), "unit": unit}
    if peer is not None:
        row |= {"peer": round(peer, 3), "ratio": round(value / peer, 2)}
    print(msgspec.json.encode(row).decode(), flush=True)


class Peer(threading.Thread):
    """Fetches one event's file every second and notes when its text changed."""

    def __init__(self, server: Radicale) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port)
        token = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"}
        self._path = f"{server.path}now.ics"
        self.costs: list[float] = []
        self.changed: list[float] = []
        self.ended = threading.Event()

    def get(self) -> bytes:
        """Fetch the file once."""
        began = time.perf_counter()
        self._connection.request("GET", self._path, headers=self._headers)
        body = self._connection.getresponse().read()
        self.costs.append(time.perf_counter() - began)
        return body

    def run(self) -> None:
        last = self.get()
        while not self.ended.wait(1.0):
            body = self.get()
            if body != last:
                self.changed.append(time.monotonic())
            last = body


def delays(server: Radicale, account: DavAccount, changes: int) -> None:
    now = time.time()
    posted: list[float] = []

    def post(signal: Signal) -> None:
        if isinstance(signal, CalendarRead):
            posted.append(time.monotonic())

    server.put("now", calendar(event("now", now + 60, now + 600)))
    settings = CalendarSettings(account, ZoneInfo("Europe/Berlin"), poll_s=1.0, near_s=1.0)
    source, peer = CalendarSource(settings, post), Peer(server)
    source.start()
    peer.start()
    while not posted or not peer.costs:
        time.sleep(0.01)
    ours, theirs = [], []
    for number in range(changes):
        # Spread over the second, so that no phase of the polls is favoured.
        time.sleep(1.3 + (number * 0.37) % 1)
        mine, other = len(posted), len(peer.changed)
        server.put("now", calendar(event("now", now + 60 + number, now + 601 + number)))
        done = time.monotonic()
        while len(posted) == mine or len(peer.changed) == other:
            time.sleep(0.002)
        ours.append(posted[-1] - done)
        theirs.append(peer.changed[-1] - done)
    source.stop()
    peer.ended.set()
    peer.join()
    tell("calendar change -> CalendarRead, p50, 1 s polling", statistics.median(ours), "s",
         statistics.median(theirs))  # fmt: skip
    tell("calendar change -> CalendarRead, max, 1 s polling", max(ours), "s", max(theirs))


def costs(server: Radicale, account: DavAccount, events: int) -> None:
    now = time.time()
    for number in range(events):
        day = now + (number % 60 - 30) * 86400 + number * 60
        server.put(f"e{number}", calendar(event(f"e{number}", day, day + 1800)))
    dav, peer = Dav(account), Peer(server)
    files = CalendarFiles(ZoneInfo("Europe/Berlin"), "", 12 * 3600, 36 * 3600)
    began = time.perf_counter()
    entries = dav.entries()
    files.store(dav.fetch(files.missing(entries, now)), entries, now)
    tell(f"first read of {events} events", time.perf_counter() - began, "s")

    def listing() -> None:
        files.missing(dav.entries(), now)
        files.read("calendar", now)

    def tag() -> None:
        dav.tag()
        files.read("calendar", now)

    for what, once in (("by tag", tag), ("by whole listing", listing)):
        walls, cpus = [], []
        for _ in range(30):
            wall, cpu = time.perf_counter(), time.thread_time()
            once()
            walls.append((time.perf_counter() - wall) * 1000)
            cpus.append((time.thread_time() - cpu) * 1000)
            peer.get()
        gets = statistics.median(peer.costs) * 1000
        name = f"poll of {events} unchanged events {what}"
        tell(f"{name}, p50", statistics.median(walls), "ms", gets)
        tell(f"{name}, own CPU, p50", statistics.median(cpus), "ms")
    dav.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--events", type=int, default=200)
    options = parser.parse_args()
    with Radicale() as server:
        account = DavAccount(server.url, server.user, server.password)
        delays(server, account, options.changes)
        costs(server, account, 10)
        costs(server, account, options.events)


if __name__ == "__main__":
    main()
