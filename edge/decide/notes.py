"""What changed between two states, in words for people. Pure."""

from collections.abc import Sequence

from edge.decide.core import CoreState
from edge.decide.intents import Intent, choice
from edge.decide.modes import BY_NAME
from edge.fusion.state import RoomState


def changes(before: CoreState, after: CoreState) -> tuple[str, ...]:
    """Return one line per change that a person would want to know of."""
    was = before.room if before.undecided is None else before.undecided.room
    return (
        *_presence(was, after.room), *_lives(before, after), *_room(before, after),
        *_modes(before, after),
    )  # fmt: skip


def unserved(before: CoreState, after: CoreState, intents: Sequence[Intent]) -> tuple[str, ...]:
    """Return one line for each intent that a new meeting asks for and does not get."""
    if before.lives is after.lives:
        return ()
    return tuple(
        f"meeting {life.meeting.uid}: without {name}: {why}"
        for key, life in after.lives.items()
        if key not in before.lives
        for name, why in choice(life.meeting, intents).left_out.items()
    )


def _presence(before: RoomState, after: RoomState) -> list[str]:
    was, now = before.presence, after.presence
    if was.occupied != now.occupied:
        state = "occupied" if now.occupied else "empty"
        return [f"room is {state} ({now.probability:.0%}, {now.count} seen)"]
    if was.known and not now.known:
        return ["nobody can tell whether the room is occupied: the last answer stays"]
    return []


def _lives(before: CoreState, after: CoreState) -> list[str]:
    notes: list[str] = []
    if before.lives is after.lives:
        return notes
    for key, life in after.lives.items():
        old = before.lives.get(key)
        if old is None or old.phase != life.phase:
            since = "new" if old is None else old.phase
            notes.append(f"meeting {life.meeting.uid}: {since} -> {life.phase} ({life.reason})")
        elif old.asked != life.asked:
            notes.append(f"meeting {life.meeting.uid}: {life.reason}")
        elif old.extended != life.extended:
            held = life.end - life.meeting.start
            notes.append(f"meeting {life.meeting.uid}: held {held:.0f} s long ({life.reason})")
    return notes


def _room(before: CoreState, after: CoreState) -> list[str]:
    notes = []
    if before.room.clock_trusted != after.room.clock_trusted:
        trusted = after.room.clock_trusted
        notes.append(
            "the clock is trusted" if trusted else "the clock is not trusted: no time-based step"
        )
    if before.room.consent != after.room.consent:
        notes.append(f"consent is {after.room.consent}")
    # Replaced whenever one changes; there may be hundreds.
    changed = after.room.sources is not before.room.sources
    for source, state in after.room.sources.items() if changed else ():
        old = before.room.sources.get(source)
        if old is None or old.health != state.health:
            notes.append(
                f"{source} is {state.health}" + (f": {state.reason}" if state.reason else "")
            )
    if before.room.machines is after.room.machines:
        return notes
    known = {m.key: m.phase for m in before.room.machines}
    for machine in after.room.machines:
        if known.get(machine.key) != machine.phase:
            notes.append(f"machine {machine.key[:8]} is {machine.phase} {machine.detail}".rstrip())
    return notes


def _modes(before: CoreState, after: CoreState) -> list[str]:
    if before.modes == after.modes:
        return []
    entered = [f"mode {n}: {BY_NAME[n].behaviour}" for n in after.modes if n not in before.modes]
    left = [f"mode {name} is over" for name in before.modes if name not in after.modes]
    return entered + left
