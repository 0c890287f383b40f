"""What rooms sent: journal rows each once, the last snapshot of each, what could not be read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from cloud_bridge.store.base import Store
from cloud_bridge.store.tables import dead_letters, events, journals, rooms, wanted
from edge.contracts.wire import PresenceMessage

KEPT_DEAD_LETTERS = 1000
SHOWN = 4096
"""Bytes of an unreadable payload that are kept."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a room's journal, as it came. sequence: from 1, without gaps at its origin."""

    room: str
    sequence: int
    id: str
    type: str
    body: bytes
    journal: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a room wants, as it came."""

    room: str
    version: int
    at: float
    body: bytes


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message nobody could obey, and why."""

    topic: str
    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What is stored in one transaction."""

    rows: Sequence[Row] = ()
    snapshots: Sequence[Snapshot] = ()
    presences: Sequence[PresenceMessage] = ()
    dead: Sequence[DeadLetter] = ()


class EventStore:
    """The tables ingest writes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, batch: Batch, at: float) -> dict[tuple[str, str], int]:
        """Store everything of `batch`; return stored-without-gap for each (room, journal) of it."""
        with self._store.begin() as connection:
            self._keep_rows(connection, batch.rows, at)
            for snapshot in batch.snapshots:
                self._keep_snapshot(connection, snapshot)
            for presence in batch.presences:
                self._keep_presence(connection, presence, at)
            self._keep_dead(connection, batch.dead, at)
            return {one: self._advance(connection, *one, at) for one in _journals(batch.rows)}

    def stored(self) -> dict[tuple[str, str], int]:
        """Return the highest sequence without a gap below it of each room's latest journal."""
        with self._store.read() as connection:
            found = connection.execute(select(journals).order_by(journals.c.heard))
            latest = {row.room: row for row in found}
        return {(row.room, row.journal): row.stored for row in latest.values()}

    def _keep_rows(self, connection: Connection, rows: Sequence[Row], at: float) -> None:
        if rows:
            values = [
                {
                    "room": row.room,
                    "journal": row.journal,
                    "sequence": row.sequence,
                    "id": row.id,
                    "type": row.type,
                    "received": at,
                    "body": row.body,
                }
                for row in rows
            ]
            connection.execute(self._store.insert(events).on_conflict_do_nothing(), values)

    def _keep_snapshot(self, connection: Connection, snapshot: Snapshot) -> None:
        statement = self._store.insert(wanted).values(
            room=snapshot.room, version=snapshot.version, at=snapshot.at, body=snapshot.body
        )
        new = statement.excluded
        # A room that lost its journal counts from 1 again: its later clock tells.
        newer = (new.version > wanted.c.version) | (
            (new.version < wanted.c.version) & (new.at > wanted.c.at)
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["room"],
                set_={"version": new.version, "at": new.at, "body": new.body},
                where=newer,
            )
        )

    def _keep_presence(self, connection: Connection, presence: PresenceMessage, at: float) -> None:
        told = {"online": presence.online, "seen": at}
        if presence.online:
            told["version"] = presence.version[:64]  # type: ignore[assignment]
        statement = self._store.insert(rooms).values(room=presence.name, stored=0, **told)
        connection.execute(statement.on_conflict_do_update(index_elements=["room"], set_=told))

    def _keep_dead(self, connection: Connection, dead: Sequence[DeadLetter], at: float) -> None:
        if not dead:
            return
        values = [
            {
                "topic": letter.topic[:512],
                "reason": letter.reason[:512],
                "at": at,
                "payload": letter.payload[:SHOWN],
            }
            for letter in dead[-KEPT_DEAD_LETTERS:]
        ]
        connection.execute(dead_letters.insert(), values)
        last = connection.execute(select(func.max(dead_letters.c.number))).scalar_one()
        old = dead_letters.c.number <= last - KEPT_DEAD_LETTERS
        connection.execute(dead_letters.delete().where(old))

    def _advance(self, connection: Connection, room: str, journal: str, at: float) -> int:
        connection.execute(
            self._store.insert(rooms).values(room=room, stored=0).on_conflict_do_nothing()
        )
        first = self._store.insert(journals).values(room=room, journal=journal)
        connection.execute(first.on_conflict_do_nothing())
        mine = (journals.c.room == room) & (journals.c.journal == journal)
        stored = connection.execute(select(journals.c.stored).where(mine)).scalar_one()
        later = (
            select(events.c.sequence)
            .where(events.c.room == room, events.c.journal == journal, events.c.sequence > stored)
            .order_by(events.c.sequence)
        )
        for (sequence,) in connection.execute(later):
            if sequence != stored + 1:
                break
            stored = sequence
        connection.execute(update(journals).where(mine).values(stored=stored, heard=at))
        connection.execute(update(rooms).where(rooms.c.room == room).values(stored=stored))
        return int(stored)


def _journals(rows: Iterable[Row]) -> list[tuple[str, str]]:
    return sorted({(row.room, row.journal) for row in rows})
