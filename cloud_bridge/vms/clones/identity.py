"""What makes a copy a machine of its own, told to the agent inside it."""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from cloud_bridge.vms.base import VmError
from cloud_bridge.vms.clones.lines import Lines
from cloud_bridge.vms.domain import Tag, domain_uuid, told_of

log = structlog.get_logger()

SEED_BYTES = 64
ANSWER = re.compile(
    r"(?:renewed|who) machine-id=([0-9a-f]*) hostname=([a-z0-9-]*|\(none\)) host-key=([0-9a-f]{16})"
    r" time=(\d{1,20}) uuid=([0-9a-f-]{36})"
)
DRIFT_S, TURNS = 2.0, 3
"""How far its clock may be from ours, and how often it is told to get there."""


@dataclass(frozen=True, slots=True)
class Self:
    """What a guest says it is. wall: its clock; host_key: a sum of its key; fresh: a new UUID."""

    machine_id: str
    hostname: str
    host_key: str
    wall: float
    fresh: str


def machine_id(tag: Tag) -> str:
    """Return the guest's machine-id, which is its key."""
    return domain_uuid(tag.key).replace("-", "")


def hostname(tag: Tag) -> str:
    """Return the guest's name."""
    return f"room-{domain_uuid(tag.key)}"


def wish(tag: Tag, wall: float, title: str = "") -> str:
    """Return the line that tells a guest who it is; each has a seed of its own."""
    told = {
        "seed": secrets.token_hex(SEED_BYTES),
        "time": str(int(wall * 1e9)),
        "machine-id": machine_id(tag),
        "hostname": hostname(tag),
        **told_of(tag, title),
    }
    return "renew " + " ".join(f"{name}={text}" for name, text in told.items())


def renew(agent: Lines, tag: Tag, clock: Callable[[], float] = time.time, title: str = "") -> Self:
    """Make the guest the machine of `tag`; raise VmError unless it says that it is."""
    for _ in range(TURNS):
        agent.send(wish(tag, clock(), title))
        became = read(agent)
        if (became.machine_id, became.hostname) != (machine_id(tag), hostname(tag)):
            raise VmError(f"machine {tag.key}: its guest took itself for {became.machine_id!r}")
        # On a busy host the time is old when it is taken on: said again, it is not.
        late = clock() - became.wall
        if abs(late) <= DRIFT_S:
            return became
    log.warning("a guest's clock is late", key=tag.key, seconds=round(late, 1))
    return became


def read(agent: Lines) -> Self:
    """Return what a guest answers; what its start said is passed over."""
    said = agent.read()
    while said == "waiting":
        said = agent.read()
    match = ANSWER.fullmatch(said)
    if match is None:
        raise VmError(f"a guest's agent says {said[:100]!r}")
    ident, name, key, wall, fresh = match.groups()
    return Self(ident, name, key, int(wall) / 1e9, fresh)
