"""A calendar that is away while a meeting lives: the room decides, and writes it down later."""

import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.alone import Alone
from tests.faults.outside import proven
from tests.world.waiting import until

pytestmark = pytest.mark.slow
LENGTH_S = 16.0
FREED = ("meeting m1: active -> booked (moved", "meeting m1: active -> ended")
"""The room heard of the move, or its time was over just before."""


@pytest.fixture
def room() -> Iterator[Alone]:
    """A room with a meeting that it accepted and that begins in a moment."""
    with (
        tempfile.TemporaryDirectory(prefix="rk-cal-", dir="/tmp") as name,
        Alone(Path(name)) as room,
    ):
        room.meet("m1", LENGTH_S, start_in=8.0)
        until(lambda: ("accept", "ok") in room.follower.poll().written, 15)
        until(lambda: "PARTSTAT=ACCEPTED" in kept(room), 5)
        yield room


def kept(room: Alone) -> str:
    """The meeting as the calendar holds it."""
    request = urllib.request.Request(room.account.url + "m1.ics", headers=room.account.headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return str(answer.read().decode()).replace("\r\n ", "")


def lives_without_calendar(room: Alone, start: float) -> None:
    """From before its start to beyond its booked end nobody answers for the calendar."""
    until(lambda: room.unwell("calendar").startswith("lost"), 20)
    until(lambda: ("m1", "check_in") in room.follower.poll().verbs, 20, "checked in")
    until(lambda: ("m1", "extend") in room.follower.poll().verbs, 40, "extended")
    until(lambda: time.time() > start + LENGTH_S + 2, 40)
    assert room.warmth[-1] > 18.0, "the room is held beyond the booked end"


def start_of(room: Alone) -> float:
    line = next(one for one in kept(room).splitlines() if one.startswith("DTSTART"))
    found = datetime.strptime(line.split(":")[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return found.timestamp()


def test_what_was_decided_meanwhile_is_written_when_it_is_back(room: Alone) -> None:
    start, before = start_of(room), kept(room)
    room.supervisor.hold("calendar")
    lives_without_calendar(room, start)
    room.supervisor.resume("calendar")
    both = {("check_in", "ok"), ("extend", "ok")}
    until(lambda: both <= {*room.follower.poll().written}, 60, "check-in and extension are written")
    end = next(one for one in kept(room).splitlines() if one.startswith("DTEND"))
    assert end not in before
    until(lambda: room.unwell("calendar") == "", 30)
    assert proven(room.journal) == ""


def test_what_the_organiser_did_meanwhile_wins_and_is_told(room: Alone) -> None:
    start = start_of(room)
    file = next(room.folder.glob("calendar/store/**/m1.ics"))
    room.supervisor.hold("calendar")
    lives_without_calendar(room, start)
    text = file.read_bytes().decode()
    for old in {word[:8] for word in text.replace(":", " ").split() if word.endswith("Z")}:
        day = datetime.strptime(old, "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1)
        text = text.replace(old, day.strftime("%Y%m%d"))
    file.write_bytes(text.encode())
    room.supervisor.resume("calendar")
    until(lambda: ("extend", "conflict") in room.follower.poll().written, 60, "it is told")
    assert kept(room).count("DTEND") == 1
    assert start_of(room) == start + 86400
    until(
        lambda: any(note.startswith(FREED) for note in room.follower.poll().notes),
        60,
        "the room is free: the meeting was moved",
    )
    assert proven(room.journal) == ""
