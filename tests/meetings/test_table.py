"""Every phase of a meeting against everything that can happen to it."""

import pytest

from edge.contracts.signals import Booted
from tests.meetings.diary import EMPTY, EPOCH, GUESS, HERE, UNKNOWN, Diary, at_phase, meeting

PHASES = ["booked", "open", "active", "ended", "no_show", "cancelled", "declined"]
MOVED = meeting(start=90_000)
OVER = {"booked": "no_show", "open": "no_show", "active": "ended"}

EVENTS = {
    # name: (what happens to the diary, phase -> phase after, phase -> verbs asked)
    "nothing": (lambda d: d.wake(), {}, {}),
    "check-in opens": (lambda d: d.wake(0.0, EMPTY), {"booked": "open"}, {}),
    "start, people here": (
        lambda d: d.wake(max(d.at, 600.0), HERE),
        {"booked": "active", "open": "active"},
        {"booked": ["check_in"], "open": ["check_in"]},
    ),
    "start, a guess of people": (
        lambda d: d.wake(max(d.at, 600.0), GUESS), {"booked": "open"}, {},
    ),
    "start, nobody": (lambda d: d.wake(max(d.at, 600.0), EMPTY), {"booked": "open"}, {}),
    "late, nobody": (
        lambda d: d.wake(1200.0, EMPTY), {"booked": "open", "open": "no_show"},
        {"open": ["release"]},
    ),
    "late, nobody can tell": (lambda d: d.wake(1200.0, UNKNOWN), {"booked": "open"}, {}),
    "ending, people here": (
        lambda d: d.wake(2340.0, HERE), {"booked": "active", "open": "active"},
        {"booked": ["check_in"], "open": ["check_in"], "active": ["extend"]},
    ),
    "end, nobody": (lambda d: d.wake(2400.0, EMPTY), OVER, {}),
    "end, nobody can tell": (lambda d: d.wake(2400.0, UNKNOWN), OVER, {}),
    "cancelled": (
        lambda d: d.read(*rivals(d), meeting(cancelled=True)),
        dict.fromkeys(["booked", "open", "active"], "cancelled"), {},
    ),
    "removed": (
        lambda d: d.read(*rivals(d)),
        dict.fromkeys(["booked", "open", "active"], "cancelled"), {},
    ),
    "read again": (
        lambda d: d.read(*rivals(d), meeting()), {"cancelled": "open"}, {"cancelled": ["accept"]},
    ),
    "moved to tomorrow": (
        lambda d: d.read(*rivals(d), MOVED),
        dict.fromkeys(["open", "active", "no_show", "cancelled", "declined"], "booked"),
        {p: ["accept"] for p in PHASES if p not in ("active", "ended")},
    ),
    "check-in at the panel": (
        lambda d: d.ask("check_in", meeting="m/"), {"open": "active"}, {"open": ["check_in"]},
    ),
    "extend at the panel": (
        lambda d: d.ask("extend", meeting="m/"), {}, {"active": ["extend"]},
    ),
    "end at the panel": (
        lambda d: d.ask("end", meeting="m/"), {"active": "ended"}, {"active": ["end"]},
    ),
    "another verb": (lambda d: d.ask("pause", meeting="m/"), {}, {}),
    "restart": (lambda d: d.say(Booted("loop", 2, "h")), {}, {}),
    "an unknown write": (lambda d: d.written("other", "conflict"), {}, {}),
}  # fmt: skip


def rivals(diary):
    """What is in the calendar besides `m`."""
    return [life.meeting for key, life in diary.lives.items() if key != "m/"]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_phase_meets_every_event(phase, event):
    happen, phases, verbs = EVENTS[event]
    diary = at_phase(phase)
    happen(diary)
    assert diary.phase() == phases.get(phase, phase)
    asked = [effect.verb for effect in diary.effects if effect.meeting.uid == "m"]
    assert asked == verbs.get(phase, [])


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("event", [e for e in EVENTS if e not in ("read again", "cancelled")])
def test_without_a_trusted_clock_nothing_is_asked_and_no_time_passes(phase, event):
    happen, _, _ = EVENTS[event]
    diary = at_phase(phase)
    diary.trusted = False
    happen(diary)
    assert diary.effects == []
    calendar = ("removed", "moved to tomorrow")
    assert event in calendar or diary.phase() == phase


@pytest.mark.parametrize("phase", PHASES)
def test_a_book_now_finds_the_room_taken_or_free(phase):
    diary = at_phase(phase)
    diary.ask("book", at=1300.0, title="Now")
    taken = phase in ("booked", "open", "active", "declined")
    assert ("book" in diary.verbs()) is not taken


def test_the_effects_of_a_step_have_ids_of_their_own():
    diary = Diary()
    effects = diary.read(meeting("a", 0), meeting("b", 2000), at=0.0)
    assert [e.id for e in effects] == ["r-1-1.w0", "r-1-1.w1"]
    assert [e.meeting.uid for e in effects] == ["a", "b"]


def test_a_cancelled_and_an_all_day_event_ask_for_nothing():
    diary = Diary()
    diary.read(meeting("a", cancelled=True), meeting("b", all_day=True))
    assert diary.effects == []
    assert {key: life.phase for key, life in diary.lives.items()} == {"a/": "cancelled"}


def test_times_of_the_table_are_those_of_the_rules():
    diary = at_phase("booked")
    assert diary.due() == 0.0
    dues = [diary.due()]
    diary.presence = EMPTY
    while diary.due() < 2000:
        diary.wake(diary.due())
        dues.append(diary.due())
    assert dues == [0.0, 600.0, 1200.0, float("inf")]
    assert diary.life().over_at == EPOCH + 1200
