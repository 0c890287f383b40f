"""Who may use the admin page, and who is signed in."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, func, select, update

from cloud_bridge.store.base import Store
from cloud_bridge.store.tables import sessions, users

Role = Literal["viewer", "operator", "admin"]


@dataclass(frozen=True, slots=True)
class User:
    """password: its Argon2 hash; must_change: it was made by us and opens nothing but its change.

    changed: wall seconds.
    """

    name: str
    password: str
    role: Role
    must_change: bool
    changed: float


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in. digest: SHA-256 of the browser's secret, in hex; expires: wall seconds."""

    digest: str
    name: str
    expires: float


class UserStore:
    """The tables of people and their sign-ins."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def count(self) -> int:
        """Return how many people there are."""
        with self._store.read() as connection:
            return int(connection.execute(select(func.count()).select_from(users)).scalar_one())

    def user(self, name: str) -> User | None:
        """Return who has that name."""
        with self._store.read() as connection:
            found = connection.execute(select(users).where(users.c.name == name)).first()
            return None if found is None else User(*found)

    def add_first(self, user: User) -> bool:
        """Write the first person down; False when another process was first."""
        with self._store.begin() as connection:
            if connection.execute(select(func.count()).select_from(users)).scalar_one():
                return False
            connection.execute(self._store.upsert(users, **_values(user)))
            return True

    def set(self, user: User) -> None:
        """Write a person down and sign them out everywhere."""
        with self._store.begin() as connection:
            connection.execute(self._store.upsert(users, **_values(user)))
            connection.execute(delete(sessions).where(sessions.c.name == user.name))

    def rehash(self, name: str, password: str) -> None:
        """Keep the same password under another hash."""
        with self._store.begin() as connection:
            same = users.c.name == name
            connection.execute(update(users).where(same).values(password=password))

    def open(self, session: Session, now: float) -> None:
        """Write a sign-in down; forget those that are over."""
        with self._store.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.expires <= now))
            connection.execute(
                self._store.upsert(
                    sessions, digest=session.digest, name=session.name, expires=session.expires
                )
            )

    def holder(self, digest: str, now: float) -> User | None:
        """Return who is signed in with that secret."""
        join = select(users).join(sessions, sessions.c.name == users.c.name)
        mine = (sessions.c.digest == digest) & (sessions.c.expires > now)
        with self._store.read() as connection:
            found = connection.execute(join.where(mine)).first()
            return None if found is None else User(*found)

    def close(self, digest: str) -> None:
        """Sign one browser out."""
        with self._store.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == digest))


def _values(user: User) -> dict[str, object]:
    return {
        "name": user.name,
        "password": user.password,
        "role": user.role,
        "must_change": user.must_change,
        "changed": user.changed,
    }
