"""What is true from outside: rows that arrived, machines that run, a journal that proves itself."""

import re
import sqlite3
import subprocess
import threading
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edge.assembly import build_core
from edge.contracts.wire import EventMessage
from edge.journal import open_reader, verify
from edge.replay import replay
from edge.uplink.events import traceparent
from tests.world import libvirtd

_events = msgspec.json.Decoder(EventMessage)
GUEST = re.compile(rb"guest=(roomkeeper-[0-9a-f-]+)")
MEMORY = re.compile(rb"\0-m\0(?:size=)?(\d+)(k?)")


@dataclass(frozen=True)
class Arrivals:
    """How the service's store differs from the room's journal."""

    rows: int
    lost: int
    doubled: int


def arrivals(journal: Path, store: Path, room: str, last: int) -> Arrivals:
    """Compare the journal's rows up to `last` with the service's by sequence, id and hash."""
    with open_reader(journal) as reader:
        rows_sent = reader.read(limit=last)
        sent = {row.seq: (row.id, traceparent(row.id, row.hash)) for row in rows_sent}
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT sequence, id, body FROM events WHERE room=?", (room,)).fetchall()
    stored: dict[int, list[tuple[str, str]]] = {}
    for sequence, ident, body in rows:
        stored.setdefault(sequence, []).append((ident, _events.decode(body).traceparent))
    lost = sum(row not in stored.get(sequence, []) for sequence, row in sent.items())
    names = Counter(name for name, _ in sent.values())
    doubled = sum(len(found) - 1 for at, found in stored.items() if at <= last)
    doubled += sum(times - 1 for times in names.values())
    return Arrivals(len(sent), lost, doubled)


def proven(journal: Path) -> str:
    """Return what is wrong with the journal's chain or its replay, "" when nothing is."""
    chain = verify(journal)
    if not chain.ok:
        return f"chain: {chain}"
    with open_reader(journal) as reader:
        found = replay(reader.read(), build_core)
    if not found.same:
        which = ", ".join((*found.different[:3], *found.unreadable[:3]))
        return f"replay: {len(found.different)} of {found.decisions} decisions differ: {which}"
    return ""


def guests(home: Path) -> dict[int, str]:
    """Return the machines that run, by process id, whatever any daemon says of them."""
    return _named(_lines(home))


def pid_of(home: Path, name: str) -> list[int]:
    """Return the processes of the domain called `name`."""
    mark = f"guest={name},".encode()
    return [pid for pid, line in _lines(home).items() if mark in line]


def virsh(uri: str, *words: str) -> list[str] | None:
    """Return what `virsh` prints, word by word; None when it fails or does not answer."""
    # Asked from outside: an embedded driver in this process would answer in its place.
    line = ["virsh", "--connect", uri, *words]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.split() if done.returncode == 0 else None


def _named(lines: dict[int, bytes]) -> dict[int, str]:
    """Return the names of those that are ours."""
    found = ((pid, GUEST.search(line)) for pid, line in lines.items())
    return {pid: name.group(1).decode() for pid, name in found if name}


def _memory_mib(lines: dict[int, bytes]) -> int:
    """Return what ours were given together, as their command lines say."""
    sizes = (MEMORY.search(line) for line in lines.values() if GUEST.search(line))
    return sum(int(size[1]) // (1024 if size[2] else 1) for size in sizes if size)


def _lines(home: Path) -> dict[int, bytes]:
    """Return the command lines of the guests of the hypervisor in `home`, by process id."""
    found = {}
    for pid in libvirtd.members(home):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"qemu-system" in line.split(b"\0")[0] and b"guest=" in line:
            found[pid] = line
    return found


@dataclass
class Watch:
    """Looks at the processes again and again; `seconds` names machines that ran twice at once.

    most_mib: what the machines had together at most.
    """

    home: Path
    period: float = 0.25
    seconds: set[str] = field(default_factory=set)
    looks: int = 0
    most_mib: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="watch")
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self.period):
            lines = _lines(self.home)
            names = Counter(_named(lines).values())
            self.seconds |= {name for name, times in names.items() if times > 1}
            self.most_mib = max(self.most_mib, _memory_mib(lines))
            self.looks += 1
