"""What the reconciler keeps: wanted snapshots in, attempts, claims, intended machines, reports."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import delete, select, update

from cloud_bridge.store.base import Store
from cloud_bridge.store.tables import attempts, claims, intended, reports, steps, wanted
from cloud_bridge.types import ABANDONED, Attempt, Machine, Wanted
from edge.contracts.wire import MachinesMessage, WantedMessage

STEPS_KEPT_S = 30 * 86400.0
CLAIM_LIMIT_S = 120.0
"""No claim runs longer: one that seems to was made before the clock was set back."""

_wanted = msgspec.json.Decoder(WantedMessage)
_machines = msgspec.json.Decoder(MachinesMessage)
_machine = msgspec.json.Decoder(Machine)


@dataclass(frozen=True, slots=True)
class Intended:
    """A machine written down before a provider was asked. begun: the provider said it made it."""

    machine: Machine
    begun: bool
    at: float


class MachineStore:
    """The tables the reconciler reads and writes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def wanted_stamp(self) -> tuple[tuple[str, int, float], ...]:
        """Return what changes whenever a room wants something else; cheap."""
        with self._store.read() as connection:
            columns = (wanted.c.room, wanted.c.version, wanted.c.at)
            found = connection.execute(select(*columns).order_by(wanted.c.room))
            return tuple((room, version, at) for room, version, at in found)

    def wanted(self) -> Wanted:
        """Return every room's last snapshot."""
        with self._store.read() as connection:
            bodies = connection.execute(select(wanted.c.body).order_by(wanted.c.room)).all()
        messages = [_wanted.decode(body) for (body,) in bodies]
        rows = tuple((message.room, row) for message in messages for row in message.machines)
        return Wanted(frozenset(message.room for message in messages), rows)

    def attempts(self) -> list[Attempt]:
        """Return what became of earlier attempts."""
        with self._store.read() as connection:
            columns = attempts.c
            found = connection.execute(
                select(
                    columns.key,
                    columns.attempts,
                    columns.not_before,
                    columns.given_up,
                    columns.reason,
                )
            )
            return [Attempt(*row) for row in found]

    def set_attempt(self, attempt: Attempt) -> None:
        """Write what became of an attempt."""
        with self._store.begin() as connection:
            connection.execute(
                self._store.upsert(
                    attempts,
                    key=attempt.key,
                    attempts=attempt.attempts,
                    not_before=attempt.not_before,
                    given_up=attempt.given_up,
                    reason=attempt.reason[:512],
                )
            )

    def forget_attempts(self, key: str) -> bool:
        """Let a key begin anew; return whether there was anything to forget."""
        with self._store.begin() as connection:
            gone = connection.execute(delete(attempts).where(attempts.c.key == key))
            return bool(gone.rowcount)

    def abandon(self, key: str, who: str, why: str) -> bool:
        """Note that a person wants nothing more of a dead letter; False when it is none."""
        reason = f"{ABANDONED} {who[:64]}: {why}" if why else f"{ABANDONED} {who[:64]}"
        dead = (attempts.c.key == key) & attempts.c.given_up
        with self._store.begin() as connection:
            done = connection.execute(update(attempts).where(dead).values(reason=reason[:512]))
            return bool(done.rowcount)

    def claim(self, key: str, owner: str, now: float, seconds: float) -> bool:
        """Take the key for `seconds`, or keep it; False while another owner holds it."""
        statement = self._store.insert(claims).values(key=key, owner=owner, until=now + seconds)
        over = (claims.c.until < now) | (claims.c.until > now + CLAIM_LIMIT_S)
        free = (claims.c.owner == owner) | over
        with self._store.begin() as connection:
            taken = connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["key"],
                    set_={"owner": owner, "until": now + seconds},
                    where=free,
                ).returning(claims.c.key)
            )
            # Not the count of rows: PostgreSQL's driver does not know it here.
            return taken.first() is not None

    def release(self, owner: str, key: str | None = None) -> None:
        """Give back one key, or all of an owner that starts again."""
        mine = claims.c.owner == owner
        with self._store.begin() as connection:
            only = mine if key is None else mine & (claims.c.key == key)
            connection.execute(delete(claims).where(only))

    def claimed_by_others(self, owner: str, now: float) -> frozenset[str]:
        """Return the keys that another reconciler works on."""
        with self._store.read() as connection:
            runs = claims.c.until.between(now, now + CLAIM_LIMIT_S)
            others = select(claims.c.key).where((claims.c.owner != owner) & runs)
            return frozenset(connection.execute(others).scalars())

    def intend(self, machine: Machine, *, begun: bool, at: float) -> None:
        """Write a machine down: before the provider is asked, and again when it was made."""
        body = msgspec.json.encode(machine)
        with self._store.begin() as connection:
            connection.execute(
                self._store.upsert(intended, key=machine.key, at=at, begun=begun, body=body)
            )

    def intended(self) -> list[Intended]:
        """Return what was written down and not crossed out."""
        with self._store.read() as connection:
            found = connection.execute(select(intended.c.body, intended.c.begun, intended.c.at))
            return [Intended(_machine.decode(body), begun, at) for body, begun, at in found]

    def cross_out(self, key: str) -> None:
        """Forget a machine: it is gone."""
        with self._store.begin() as connection:
            connection.execute(delete(intended).where(intended.c.key == key))

    def reports(self) -> dict[str, MachinesMessage]:
        """Return what each room was told last."""
        with self._store.read() as connection:
            found = connection.execute(select(reports.c.room, reports.c.body))
            return {room: _machines.decode(body) for room, body in found}

    def set_report(self, message: MachinesMessage) -> None:
        """Write what a room is told, and when each machine was first in its phase."""
        body = msgspec.json.encode(message)
        rows = [
            {
                "key": report.key,
                "phase": report.phase,
                "room": message.room,
                "meeting": report.meeting[:1024],
                "template": report.template[:128],
                "at": report.at,
                "detail": report.detail[:512],
            }
            for report in message.machines
        ]
        with self._store.begin() as connection:
            connection.execute(self._store.upsert(reports, room=message.room, body=body))
            if rows:
                connection.execute(self._store.insert(steps).on_conflict_do_nothing(), rows)
                old = steps.c.at < message.at - STEPS_KEPT_S
                connection.execute(delete(steps).where(old))
