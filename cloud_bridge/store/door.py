"""What the door keeps: codes that were tried or used, and who may go on visiting which machine."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import delete, func, select

from cloud_bridge.store.base import Store
from cloud_bridge.store.tables import intended, tried_codes, visits, wanted
from cloud_bridge.types import Machine
from edge.contracts.wire import WantedMachine, WantedMessage

WRONG_LIMIT = 10
"""After so many wrong tries at a machine its code is good no more."""
TRIED_KEPT_S = 86400.0

_wanted = msgspec.json.Decoder(WantedMessage)
_machine = msgspec.json.Decoder(Machine)


@dataclass(frozen=True, slots=True)
class Visit:
    """One browser at one machine. digest: SHA-256 of its secret, in hex; token: the machine's own.

    expires: wall seconds, at the latest; it ends with the machine.
    """

    digest: str
    key: str
    token: str
    expires: float


@dataclass(frozen=True, slots=True)
class Offer:
    """A code that a room shows now, as its seal, and for which machine."""

    room: str
    machine: WantedMachine


class DoorStore:
    """The tables behind the door, and what it reads of the reconciler's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def offers(self, now: float) -> list[Offer]:
        """Return every code that has not lapsed."""
        with self._store.read() as connection:
            bodies = connection.execute(select(wanted.c.body)).scalars().all()
        messages = [_wanted.decode(body) for body in bodies]
        return [
            Offer(message.room, machine)
            for message in messages
            for machine in message.machines
            if machine.code and machine.code_until > now
        ]

    def machine(self, key: str) -> Machine | None:
        """Return the machine with that key, if it is ready."""
        with self._store.read() as connection:
            mine = (intended.c.key == key) & intended.c.begun
            body = connection.execute(select(intended.c.body).where(mine)).scalar()
        machine = None if body is None else _machine.decode(body)
        return machine if machine is not None and machine.phase == "ready" else None

    def used(self, seal: str) -> bool:
        """Return whether the code was used, or tried wrongly too often."""
        with self._store.read() as connection:
            row = connection.execute(select(tried_codes).where(tried_codes.c.seal == seal)).first()
        return row is not None and (row.used > 0 or row.wrong >= WRONG_LIMIT)

    def wrong(self, seal: str, now: float) -> None:
        """Count a wrong try at the machine whose code has this seal."""
        statement = self._store.insert(tried_codes).values(seal=seal, wrong=1, used=0.0, at=now)
        with self._store.begin() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["seal"], set_={"wrong": tried_codes.c.wrong + 1, "at": now}
                )
            )
            connection.execute(delete(tried_codes).where(tried_codes.c.at < now - TRIED_KEPT_S))

    def take(self, seal: str, now: float) -> bool:
        """Use a code up; False when somebody did before, or it was tried wrongly too often."""
        statement = self._store.insert(tried_codes).values(seal=seal, wrong=0, used=now, at=now)
        fresh = (tried_codes.c.used == 0.0) & (tried_codes.c.wrong < WRONG_LIMIT)
        with self._store.begin() as connection:
            taken = connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["seal"], set_={"used": now, "at": now}, where=fresh
                ).returning(tried_codes.c.seal)
            )
            return taken.first() is not None

    def enter(self, visit: Visit, now: float) -> None:
        """Write a visit down; forget those that are over."""
        with self._store.begin() as connection:
            connection.execute(delete(visits).where(visits.c.expires <= now))
            connection.execute(
                self._store.upsert(
                    visits,
                    digest=visit.digest,
                    key=visit.key,
                    token=visit.token,
                    expires=visit.expires,
                )
            )

    def visit(self, digest: str, now: float) -> Machine | None:
        """Return the machine a browser may visit: the same one, still ready; else None."""
        with self._store.read() as connection:
            mine = (visits.c.digest == digest) & (visits.c.expires > now)
            row = connection.execute(select(visits).where(mine)).first()
        if row is None:
            return None
        machine = self.machine(row.key)
        return machine if machine is not None and machine.token == row.token else None

    def leave(self, digest: str) -> None:
        """End one browser's visit."""
        with self._store.begin() as connection:
            connection.execute(delete(visits).where(visits.c.digest == digest))

    def count(self) -> int:
        """Return how many visits are written down."""
        with self._store.read() as connection:
            return int(connection.execute(select(func.count()).select_from(visits)).scalar_one())
