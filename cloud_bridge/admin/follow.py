"""The thread that keeps up with the store: reads what is new, folds it, wakes the pages."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec
import structlog
from prometheus_client import Counter, Gauge

from cloud_bridge.admin.facts import Facts, ImageFile, Part
from cloud_bridge.admin.live import Live, decode_live, fold
from cloud_bridge.store import LookStore, MachineStore, RecordStore, StoreError
from cloud_bridge.store.looking import RoomRow
from cloud_bridge.types import Usage
from edge.process.web.pulse import Pulse

log = structlog.get_logger()

FOLDED = Counter("roomkeeper_admin_rows", "Rows taken into the rooms' live state.")
BEHIND = Gauge("roomkeeper_admin_behind", "Stored rows that the page has not taken in yet.")
TROUBLES = Counter("roomkeeper_admin_troubles", "Readings of the store that failed.")

PERIOD_S, PROBE_S, KEEP_S = 0.4, 2.0, 10.0
CHUNK = 1000
STEPS_S = 3 * 86400.0

Probe = Callable[[], tuple[Part, ...]]


class Follower:
    """`facts` is immutable and always there; thread "follow". probe: asks the other processes."""

    def __init__(
        self,
        looks: LookStore,
        machines: MachineStore,
        records: RecordStore,
        pulse: Pulse,
        probe: Probe,
        wall: Callable[[], float] = time.time,
        mono: Callable[[], float] = time.monotonic,
        images: Callable[[], tuple[ImageFile, ...]] = tuple,
        usage: Callable[[], tuple[Usage, ...]] = lambda: (),
    ) -> None:
        self._usage = usage
        self._looks = looks
        self._machines = machines
        self._records = records
        self._pulse = pulse
        self._probe = probe
        self._wall = wall
        self._mono = mono
        self._images = images
        self._live: dict[str, Live] = {}
        self._kept: dict[str, int] = {}
        self._begun = False
        self._facts = Facts()
        self._probe_at = self._keep_at = float("-inf")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follow", daemon=False)

    @property
    def facts(self) -> Facts:
        """What was read last."""
        return self._facts

    def status(self) -> dict[str, object]:
        """Return health: well while the store answers."""
        facts = self._facts
        return {
            "ok": bool(facts.read) and not facts.trouble,
            "store": facts.trouble or "ok",
            "behind": sum(count for _, count in facts.behind),
        }

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Keep what was folded and end, within 1 s."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def step(self) -> bool:
        """Read once; return whether there is more to fold at once."""
        before = self._facts
        try:
            more = self._read()
        except StoreError as error:
            TROUBLES.inc()
            if not before.trouble:
                log.error("store cannot be read, tried again", reason=str(error))
            self._facts = replace(before, trouble=str(error)[:300])
            more = False
        if self._mono() - self._probe_at >= PROBE_S:
            self._probe_at = self._mono()
            parts, images = self._since(self._probe()), self._images()
            self._facts = replace(self._facts, parts=parts, images=images)
        if replace(self._facts, read=before.read) != before or not before.read:
            self._pulse.beat()
        return more

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                more = self.step()
            except Exception:
                # One unreadable row must not end what shows all others.
                log.exception("could not keep up with the store")
                TROUBLES.inc()
                more = False
            if not more:
                self._stop.wait(PERIOD_S)
        self._keep(always=True)

    def _read(self) -> bool:
        if not self._begun:
            found = {room: decode_live(body) for room, body in self._looks.live().items()}
            self._live = {room: live for room, live in found.items() if live is not None}
            self._kept = {room: live.sequence for room, live in self._live.items()}
            self._begun = True
        rooms = self._looks.rooms()
        behind = tuple((row.room, self._fold(row)) for row in rooms)
        total = sum(count for _, count in behind)
        BEHIND.set(total)
        now = self._wall()
        reports = self._machines.reports()
        self._facts = Facts(
            read=now,
            rooms=rooms,
            live=tuple(self._live[row.room] for row in rooms if row.room in self._live),
            behind=tuple((room, count) for room, count in behind if count),
            wishes=self._looks.wishes(),
            reports=tuple(
                (room, one) for room in sorted(reports) for one in reports[room].machines
            ),
            attempts=tuple(self._machines.attempts()),
            machines=self._looks.machines(),
            steps=self._looks.steps(now - STEPS_S),
            dead=self._looks.dead(),
            questions=tuple(self._records.questions()),
            parts=self._facts.parts,
            images=self._facts.images,
            usage=self._usage(),
        )
        self._keep()
        return total > 0

    def _fold(self, row: RoomRow) -> int:
        """Take a room's next rows in; return how many are left."""
        live = self._live.get(row.room) or Live(row.room)
        if live.sequence > row.stored:
            live = Live(row.room)  # another database: its rows count anew
        if live.sequence < row.stored:
            rows = self._looks.after(row.room, live.sequence, row.stored, CHUNK)
            for each in rows:
                live = fold(live, each)
            FOLDED.inc(len(rows))
            if len(rows) < CHUNK:
                live = msgspec.structs.replace(live, sequence=row.stored)
        self._live[row.room] = live
        return row.stored - live.sequence

    def _keep(self, *, always: bool = False) -> None:
        if not always and self._mono() - self._keep_at < KEEP_S:
            return
        self._keep_at = self._mono()
        for room, live in self._live.items():
            if self._kept.get(room) != live.sequence:
                try:
                    self._looks.keep_live(room, live.sequence, msgspec.json.encode(live))
                except StoreError as error:
                    log.warning("state not kept, folded again later", room=room, reason=str(error))
                    return
                self._kept[room] = live.sequence

    def _since(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        before: Mapping[str, Part] = {part.name: part for part in self._facts.parts}
        return tuple(
            replace(part, since=before[part.name].since)
            if part.name in before and before[part.name].answer == part.answer
            else part
            for part in parts
        )
