"""What is not as it should be, and what to do about it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from cloud_bridge.admin.facts import Facts
from cloud_bridge.admin.images import images_view
from cloud_bridge.admin.live import Live
from cloud_bridge.admin.machines import MachineView, machines
from cloud_bridge.admin.questions import questions_view
from cloud_bridge.admin.say import STALE_S, Say, remedy, source_name
from cloud_bridge.store.looking import RoomRow

LETTERS_S = 3600.0


@dataclass(frozen=True, slots=True)
class Attention:
    """Something a person should look at. rank: 0 is most urgent; since: wall seconds."""

    rank: int
    tone: str
    icon: str
    where: str
    what: str
    todo: str
    since: float
    age: str
    href: str = ""
    link: str = ""


def attention(facts: Facts, say: Say) -> Iterator[Attention]:
    """Yield everything that is not as it should be, in no order."""
    yield from _service(facts, say)
    for row in facts.rooms:
        if not row.online:
            yield Attention(
                1, "poor", "error", row.room, "The room is offline",
                "Check its power and network. It goes on by itself and sends what it kept.",
                row.seen, say.age(row.seen), f"/audit?room={row.room}", "Last rows",
            )  # fmt: skip
    online = {row.room: row for row in facts.rooms if row.online}
    for live in facts.live:
        if live.room in online:
            yield from _room(live, online[live.room], say)
    yield from _questions(facts, say)
    yield from _machines(facts, say)
    yield from _images(facts, say)
    recent = [letter for letter in facts.dead if letter.at > say.now - LETTERS_S]
    if recent:
        yield Attention(
            3, "fair", "warn", "Messages", _letters(len(recent)),
            f"Look at the sender's version. Last: {recent[0].reason}",
            recent[0].at, say.age(recent[0].at), "/machines#letters", "See them",
        )  # fmt: skip


def _letters(count: int) -> str:
    return "1 message could not be read" if count == 1 else f"{count} messages could not be read"


def _service(facts: Facts, say: Say) -> Iterator[Attention]:
    if facts.trouble:
        yield Attention(
            0, "poor", "error", "Database", "The database does not answer",
            f"Start it or correct [store] url: {facts.trouble}", facts.read, say.age(facts.read),
        )  # fmt: skip
    for part in facts.parts:
        if part.answer != "ok":
            what = "does not answer" if part.answer == "away" else "is not well"
            yield Attention(
                0, "poor", "error", "Service", f"{part.name.capitalize()} {what}",
                f"Look at its log; rooms keep what they cannot send. {part.detail}".strip(),
                part.since, say.age(part.since),
            )  # fmt: skip


def _room(live: Live, row: RoomRow, say: Say) -> Iterator[Attention]:
    trail = f"/audit?room={live.room}"
    heard = max(live.received, row.seen)
    if say.now - heard > STALE_S:
        yield Attention(
            2, "fair", "clock", live.room, "Nothing heard for a while",
            "It is connected and silent: look whether its sensors and its clock run.",
            heard, say.age(heard), trail, "Last rows",
        )  # fmt: skip
    if not live.clock:
        yield Attention(
            2, "fair", "clock", live.room, "Its clock is not trusted",
            "Give it a time server; meetings wait until then.",
            live.booted, say.age(live.booted), trail, "Last rows",
        )  # fmt: skip
    for name, source in live.sources.items():
        if source.health != "ok":
            lost = source.health == "lost"
            what = f"{source_name(name).capitalize()} {'is lost' if lost else 'is degraded'}"
            reason = f" ({source.reason})" if source.reason else ""
            yield Attention(
                2 if lost else 3, "poor" if lost else "fair", "error" if lost else "warn",
                live.room, what + reason, remedy(name), source.at, say.age(source.at),
                f"{trail}&text={name}", "Its rows",
            )  # fmt: skip


def _questions(facts: Facts, say: Say) -> Iterator[Attention]:
    for one in questions_view(facts, say).waiting:
        lapsed = one.state == "lapsed"
        what = "Nobody answered: no machine is made" if lapsed else "A machine waits for your yes"
        todo = f"Say yes or no{'' if lapsed else f' until {one.deadline}, or there is none'}."
        yield Attention(
            2 if lapsed else 1, one.tone, one.icon, one.rooms,
            f"{what}: {one.template} for {one.meeting}, {one.cost}", todo,
            one.since, say.age(one.since), f"/machines#q-{one.key}", "Answer",
        )  # fmt: skip


def _machines(facts: Facts, say: Say) -> Iterator[Attention]:
    for one in machines(facts, say):
        if one.abandoned:
            continue
        if one.retry:
            rank, what = 1, f"A machine was given up after {one.attempts} attempts"
            todo = "Mend the cause, then let it begin anew; or abandon it."
        elif one.phase in ("failed", "refused"):
            rank, what = 2, f"A machine was {'refused' if one.phase == 'refused' else 'not made'}"
            todo = "It is tried again by itself; look at the reason if it stays."
        elif one.late:
            rank, what = 2, "A machine is late for its meeting"
            todo = "Look whether the reconciler runs and the host has memory left."
        elif one.usage.idle:
            yield _idle(one, say)
            continue
        else:
            continue
        detail = f": {one.detail}" if one.detail else ""
        yield Attention(
            rank, "poor" if rank == 1 else "fair", "machine", one.rooms, what + detail, todo,
            one.since, say.age(one.since), f"/machines#m-{one.key}", "See it",
        )  # fmt: skip


def _images(facts: Facts, say: Say) -> Iterator[Attention]:
    for one in images_view(facts, say):
        if one.missing:
            what = "A file of this template is missing: its machines cannot be made"
            todo = "Put it where [templates] says, or make the small guest: roomkeeper-cloud image."
        elif one.old:
            what, todo = "This template's image is old", "Make it anew, and correct its checksum."
        else:
            continue
        yield Attention(
            1 if one.missing else 3, one.tone, one.icon, one.template, what, todo,
            one.since, one.age, f"/machines#i-{one.template}", "See it",
        )  # fmt: skip


def _idle(one: MachineView, say: Say) -> Attention:
    cost = one.usage.cost_per_hour
    price = f", at {cost:.2f} an hour" if cost else ""
    return Attention(
        3, "fair", "machine", one.rooms,
        f"A machine idles with nobody there: {one.template}, for {one.usage.idle}{price}",
        "End the meeting at the room's panel, or let it run if work goes on inside.",
        one.usage.idle_since, say.age(one.usage.idle_since), f"/machines#m-{one.key}", "See it",
    )  # fmt: skip
