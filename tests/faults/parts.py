"""The parts that are killed, and how one sees from outside that each does its work again."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.world import World
from tests.world.probes import answers, healthy

Recovered = Callable[[], bool]


@dataclass(frozen=True)
class Part:
    """`kill` ends it with SIGKILL and returns what tells, polled, that it works again."""

    name: str
    sign: str
    kill: Callable[[World], Recovered]
    fresh_meeting: bool = False
    """Whether each kill gets a meeting of its own: failures of one machine make it wait longer."""


def _supervised(world: World, name: str) -> Recovered:
    old = world.supervisor.pid(name)
    world.supervisor.kill(name)
    return lambda: world.supervisor.pid(name) != old


def edge(world: World) -> Recovered:
    """Its page says well, and a decision of the new start is in the journal."""
    before = world.follower.poll().decided_in
    restarted = _supervised(world, "edge")
    return lambda: (
        restarted() and healthy(world.ports.edge) and world.follower.poll().decided_in > before
    )


def _confirms(world: World, name: str) -> Recovered:
    restarted = _supervised(world, name)
    head = world.follower.poll().head
    # The cursor is written down half a second after it moved.
    return lambda: restarted() and world.follower.poll().cursor > head


def ingest(world: World) -> Recovered:
    """Rows that were written after the kill are confirmed as stored."""
    return _confirms(world, "ingest")


def broker_site(world: World) -> Recovered:
    """As for ingest."""
    return _confirms(world, "broker-site")


def broker_room(world: World) -> Recovered:
    """Motion that a board saw after the restart is in the journal."""
    restarted = _supervised(world, "broker-room")
    since: list[float] = []

    def recovered() -> bool:
        if not since and restarted():
            since.append(time.time())
        return bool(since) and world.follower.poll().motion_at > since[0]

    return recovered


def reconcile(world: World) -> Recovered:
    """Its page says well: it has compared wishes with machines again."""
    restarted = _supervised(world, "reconcile")
    return lambda: restarted() and healthy(world.ports.reconcile)


def admin(world: World) -> Recovered:
    """Its page says well: it has read the store again, and its front door answers."""
    restarted = _supervised(world, "admin")
    door = f"http://127.0.0.1:{world.ports.admin}/login"
    return lambda: restarted() and healthy(world.ports.admin_health) and answers(door)


def calendar(world: World) -> Recovered:
    """An organiser books, and the room knows it."""
    restarted = _supervised(world, "calendar")
    booked: list[str] = []

    def recovered() -> bool:
        if not booked and restarted():
            uid = world.book_far_ahead()
            booked.extend([uid] if uid else [])
        return bool(booked) and booked[0] in world.follower.poll().meetings

    return recovered


def hypervisor(world: World) -> Recovered:
    """It lists its machines, the reconciler is well, and the meeting's machine lived on."""
    before = set(world.guests())
    restarted = _supervised(world, "libvirtd")

    def recovered() -> bool:
        follower = world.follower.poll()
        seen = {
            "restarted": restarted(),
            "listed": world.domains() is not None,
            "reconciler well": healthy(world.ports.reconcile),
            "machine ready": follower.phase(world.uid) == "ready",
            "same guests": set(world.guests()) == before,
        }
        world.missing = [name for name, holds in seen.items() if not holds]
        return not world.missing

    return recovered


def guest(world: World) -> Recovered:
    """Another machine of the same meeting is ready."""
    before = world.guests()
    since = time.time()
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    def recovered() -> bool:
        follower = world.follower.poll()
        return (
            follower.was_away(world.uid, since)
            and follower.phase(world.uid) == "ready"
            and not set(before) & set(world.guests())
        )

    return recovered


PARTS = (
    Part("edge", "healthy, a decision journaled", edge),
    Part("ingest", "new rows confirmed", ingest),
    Part("reconcile", "compares again", reconcile),
    Part("admin", "has read the store, answers", admin),
    Part("broker-room", "motion journaled", broker_room),
    Part("broker-site", "new rows confirmed", broker_site),
    Part("calendar", "a new booking known in the room", calendar),
    Part("libvirtd", "listed, compared, guest untouched", hypervisor),
    Part("guest", "another machine ready", guest, fresh_meeting=True),
)
BY_NAME = {part.name: part for part in PARTS}

__all__ = ["BY_NAME", "PARTS", "Part", "Recovered"]
