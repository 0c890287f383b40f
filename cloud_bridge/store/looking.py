"""What the admin page reads: rooms, rows behind a cursor, bounded searches, steps, dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row as Found
from sqlalchemy import String, and_, cast, func, select
from sqlalchemy.sql.elements import ColumnElement

from cloud_bridge.store.base import Store
from cloud_bridge.store.tables import (
    dead_letters,
    events,
    intended,
    journals,
    live,
    rooms,
    steps,
    wanted,
)
from cloud_bridge.types import Machine
from edge.contracts.wire import WantedMachine, WantedMessage

WINDOW = 20_000
"""A search without a given place looks at this many of the newest rows of each room."""
TEXT_LIMIT = 200
_wanted = msgspec.json.Decoder(WantedMessage)
_machine = msgspec.json.Decoder(Machine)


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room as ingest knows it. seen: when its presence changed; times: wall seconds."""

    room: str
    stored: int
    online: bool
    seen: float
    version: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A journal row as it is kept. received: wall seconds."""

    room: str
    sequence: int
    id: str
    type: str
    received: float
    body: bytes


@dataclass(frozen=True, slots=True)
class StepRow:
    """When a machine was first in a phase. at: wall seconds."""

    key: str
    phase: str
    room: str
    meeting: str
    template: str
    at: float
    detail: str


@dataclass(frozen=True, slots=True)
class DeadRow:
    """A message nobody could obey. at: wall seconds."""

    number: int
    topic: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Wish:
    """A machine that a room wants now."""

    room: str
    machine: WantedMachine


@dataclass(frozen=True, slots=True)
class Search:
    """kinds: row types; text: found in id or body, any case; before: sequences below it only.

    acted: only decisions that set or wrote something.
    """

    rooms: Sequence[str]
    kinds: Sequence[str] = ()
    text: str = ""
    before: int = 0
    limit: int = 100
    acted: bool = False


class LookStore:
    """Reads for people, and the folded state of each room; no read grows with the past."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rooms(self) -> tuple[RoomRow, ...]:
        """Return every room ever heard."""
        columns = (rooms.c.room, rooms.c.stored, rooms.c.online, rooms.c.seen, rooms.c.version)
        with self._store.read() as connection:
            found = connection.execute(select(*columns).order_by(rooms.c.room))
            return tuple(RoomRow(*row) for row in found)

    def after(self, room: str, sequence: int, upto: int, limit: int) -> tuple[Stored, ...]:
        """Return up to `limit` rows of a room behind `sequence`, up to `upto`, oldest first."""
        mine = _present(room) & (events.c.sequence > sequence)
        query = select(events).where(mine, events.c.sequence <= upto)
        with self._store.read() as connection:
            found = connection.execute(query.order_by(events.c.sequence).limit(limit))
            return tuple(_stored(row) for row in found)

    def live(self) -> dict[str, bytes]:
        """Return the folded state of every room."""
        with self._store.read() as connection:
            found = connection.execute(select(live.c.room, live.c.body))
            return {row.room: row.body for row in found}

    def keep_live(self, room: str, sequence: int, body: bytes) -> None:
        """Write what the rows up to `sequence` add up to."""
        with self._store.begin() as connection:
            connection.execute(self._store.upsert(live, room=room, sequence=sequence, body=body))

    def search(self, wish: Search) -> tuple[Stored, ...]:
        """Return the newest matching rows of all rooms together, newest first."""
        found: list[Stored] = []
        with self._store.read() as connection:
            for room in wish.rooms:
                mine = _present(room)
                last = wish.before
                if not last:
                    newest = select(func.max(events.c.sequence)).where(mine)
                    last = (connection.execute(newest).scalar() or 0) + 1
                reach = (events.c.sequence < last) & (events.c.sequence >= last - WINDOW)
                query = select(events).where(mine, reach, *self._filters(wish))
                rows = connection.execute(
                    query.order_by(events.c.sequence.desc()).limit(wish.limit)
                )
                found += [_stored(row) for row in rows]
        found.sort(key=lambda row: (row.received, row.sequence), reverse=True)
        return tuple(found[: wish.limit])

    def row(self, room: str, sequence: int) -> Stored | None:
        """Return one row."""
        mine = _present(room) & (events.c.sequence == sequence)
        with self._store.read() as connection:
            found = connection.execute(select(events).where(mine)).first()
            return None if found is None else _stored(found)

    def near(self, room: str, sequence: int, ident: str) -> Stored | None:
        """Return the row named `ident` among those shortly before `sequence`."""
        mine = _present(room) & (events.c.sequence < sequence)
        reach = (events.c.sequence >= sequence - WINDOW) & (events.c.id == ident)
        with self._store.read() as connection:
            query = select(events).where(mine, reach).order_by(events.c.sequence.desc())
            found = connection.execute(query.limit(1)).first()
            return None if found is None else _stored(found)

    def steps(self, since: float, limit: int = 5000) -> tuple[StepRow, ...]:
        """Return steps of machines since an instant, newest first."""
        with self._store.read() as connection:
            query = select(steps).where(steps.c.at >= since)
            found = connection.execute(query.order_by(steps.c.at.desc()).limit(limit))
            return tuple(StepRow(*row) for row in found)

    def wishes(self) -> tuple[Wish, ...]:
        """Return every machine wanted now."""
        with self._store.read() as connection:
            bodies = connection.execute(select(wanted.c.body).order_by(wanted.c.room)).all()
        messages = [_wanted.decode(body) for (body,) in bodies]
        return tuple(Wish(one.room, machine) for one in messages for machine in one.machines)

    def machines(self) -> tuple[Machine, ...]:
        """Return every machine written down."""
        with self._store.read() as connection:
            bodies = connection.execute(select(intended.c.body).order_by(intended.c.key)).all()
        return tuple(_machine.decode(body) for (body,) in bodies)

    def dead(self, limit: int = 50) -> tuple[DeadRow, ...]:
        """Return the newest dead letters, newest first."""
        columns = dead_letters.c
        query = select(columns.number, columns.topic, columns.reason, columns.at)
        with self._store.read() as connection:
            found = connection.execute(query.order_by(columns.number.desc()).limit(limit))
            return tuple(DeadRow(*row) for row in found)

    def _filters(self, wish: Search) -> list[ColumnElement[bool]]:
        wanted_rows: list[ColumnElement[bool]] = []
        if wish.kinds:
            wanted_rows.append(events.c.type.in_(wish.kinds))
        body: ColumnElement[str] = cast(events.c.body, String)
        if not self._store.sqlite:
            body = func.convert_from(events.c.body, "UTF8")
        if wish.acted:
            wanted_rows.append(body.contains('"commands":[{') | body.contains('"writes":[{'))
        if wish.text:
            text = wish.text[:TEXT_LIMIT]
            found = body.icontains(text, autoescape=True)
            wanted_rows.append(found | events.c.id.icontains(text, autoescape=True))
        return wanted_rows


def _present(room: str) -> ColumnElement[bool]:
    """The rows of the journal a room writes now: each journal counts from one."""
    heard = select(journals.c.journal).where(journals.c.room == room)
    now = heard.order_by(journals.c.heard.desc()).limit(1).scalar_subquery()
    return and_(events.c.room == room, events.c.journal == now)


def _stored(found: Found[Any]) -> Stored:
    return Stored(found.room, found.sequence, found.id, found.type, found.received, found.body)
