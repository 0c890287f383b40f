"""A meeting's life where it is delicate: no-shows, extensions, moves, conflicts."""

import math

import pytest

from edge.contracts.signals import Booted
from edge.meetings.life import current, upcoming
from tests.meetings.diary import EMPTY, EPOCH, HERE, UNKNOWN, Diary, at_phase, meeting


def test_nobody_is_declared_absent_by_a_room_that_cannot_tell():
    diary = at_phase("open")
    diary.run(2399.0, UNKNOWN)
    assert diary.phase() == "open"
    assert "release" not in diary.verbs()
    diary.wake(2399.5, EMPTY)
    assert diary.verbs() == ["release"]


def test_a_long_meeting_is_never_a_no_show_before_its_end():
    diary = Diary()
    diary.read(meeting(minutes=8 * 60))
    diary.run(600 + 8 * 3600 - 1, EMPTY)
    assert (diary.phase(), diary.verbs()) == ("open", ["accept"])
    diary.run(600 + 8 * 3600)
    assert (diary.phase(), diary.verbs()) == ("no_show", ["accept"])
    shorter = Diary()
    shorter.read(meeting(minutes=8 * 60 - 1))
    shorter.run(1200.0, EMPTY)
    assert shorter.phase() == "no_show"


def test_a_room_that_learns_late_of_a_meeting_waits_as_long_for_its_people():
    diary = Diary(presence=EMPTY)
    diary.read(meeting(), at=1500.0)
    assert diary.phase() == "open", "it began a quarter of an hour ago"
    assert diary.due() == 2100.0
    assert diary.wake(2100.0)[0].verb == "release"


def test_after_a_restart_the_wait_for_people_begins_anew():
    diary = at_phase("open")
    diary.say(Booted("loop", 2, "h"), at=1190.0)
    diary.wake(1200.0, EMPTY)
    assert diary.phase() == "open"
    assert diary.wake(1790.0)[0].verb == "release"


def test_fewer_people_than_the_rules_want_do_not_check_in():
    diary = at_phase("open", auto_check_in_people=4)
    diary.wake(700.0, HERE)
    assert diary.phase() == "open"
    diary = at_phase("open", auto_check_in_people=3)
    diary.wake(700.0, HERE)
    assert diary.phase() == "active"


def test_check_in_before_it_opens_or_after_the_end_is_refused():
    diary = Diary(presence=UNKNOWN)
    diary.read(meeting(start=5000))
    diary.ask("check_in", meeting="m/", at=4399.0)
    assert diary.phase() == "booked"
    diary.ask("check_in", meeting="m/", at=4400.0)
    assert diary.phase() == "active"
    late = at_phase("open")
    late.ask("check_in", meeting="m/", at=2400.0)
    assert late.phase() == "no_show"


def test_an_early_check_in_to_an_empty_room_is_not_ended_before_it_began():
    diary = at_phase("open", empty_end_s=30.0)
    diary.ask("check_in", at=10.0)
    diary.run(599.0, EMPTY)
    assert diary.phase() == "active"
    diary.run(640.0)
    assert diary.phase() == "ended"
    effect = diary.effects[-1]
    assert (effect.verb, effect.end) == ("end", EPOCH + 630)


def test_a_meeting_ended_before_its_start_does_not_end_before_its_start():
    diary = at_phase("open")
    diary.ask("check_in", at=10.0)
    (effect,) = diary.ask("end", at=20.0)
    assert effect.end == diary.life().end == EPOCH + 600


def test_an_empty_room_is_given_back_only_when_the_rules_say_so():
    diary = at_phase("active")
    diary.run(2399.0, EMPTY)
    assert diary.phase() == "active"
    diary = at_phase("active", empty_end_s=120.0)
    diary.wake(700.0, EMPTY)
    diary.run(819.0)
    assert diary.phase() == "active"
    diary.run(820.0)
    assert (diary.phase(), diary.verbs()) == ("ended", ["end"])


def test_who_comes_back_or_cannot_be_seen_begins_the_empty_time_anew():
    diary = at_phase("active", empty_end_s=120.0)
    diary.wake(700.0, EMPTY)
    diary.wake(790.0, UNKNOWN)
    assert diary.life().empty_since == 0.0
    diary.wake(800.0, EMPTY)
    diary.wake(919.0, EMPTY)
    assert diary.phase() == "active"
    assert diary.due() == 920.0
    diary.wake(920.0)
    assert diary.phase() == "ended"


def test_people_who_stay_extend_until_they_leave():
    diary = at_phase("active")
    diary.run(2340.0, HERE)
    assert diary.verbs() == ["extend"]
    assert diary.end() == 3300.0
    assert diary.life().pending == diary.effects[0].id
    diary.written(diary.effects[0].id)
    diary.read(meeting(minutes=45))
    assert (diary.end(), diary.life().pending) == (3300.0, "")
    diary.run(3300.0, EMPTY)
    assert diary.phase() == "ended"


def test_an_extension_stops_at_the_next_meeting():
    diary = Diary()
    diary.read(meeting(), meeting("next", 2700.0))
    diary.wake(600.0, HERE)
    diary.run(2699.0)
    assert diary.end() == 2700.0
    assert diary.verbs().count("extend") == 1
    diary.wake(2700.0)
    assert (diary.phase(), diary.phase("next")) == ("ended", "active")
    assert diary.life().reason == "the next meeting begins"
    diary.ask("extend", at=2800.0, meeting="m/")
    assert diary.phase() == "ended"


def test_back_to_back_meetings_hand_over_at_the_instant():
    diary = Diary()
    diary.read(meeting(), meeting("next", 2400.0))
    diary.wake(600.0, HERE)
    diary.run(2399.0)
    assert diary.active() == ["m/"]
    diary.run(2400.0)
    assert diary.active() == ["next/"]
    assert "extend" not in diary.verbs()


def test_a_meeting_moved_into_one_that_runs_is_declined():
    diary = Diary()
    diary.read(meeting(), meeting("next", 3000.0))
    diary.wake(700.0, HERE)
    diary.read(meeting(), meeting("next", 1200.0), at=800.0)
    assert diary.phase("next") == "declined"
    diary.run(2000.0)
    assert diary.active() == ["m/"]
    diary.read(meeting(), meeting("next", 4000.0))
    assert diary.phase("next") == "booked"
    assert diary.verbs().count("accept") == 3


def test_a_running_meeting_lengthened_into_the_next_ends_where_that_begins():
    diary = Diary()
    diary.read(meeting(), meeting("next", 2400.0))
    diary.wake(700.0, HERE)
    diary.read(meeting(minutes=90), meeting("next", 2400.0), at=800.0)
    assert (diary.phase("next"), diary.end()) == ("booked", 2400.0)
    diary.run(2500.0)
    assert diary.active() == ["next/"]
    diary.read(meeting(minutes=90), at=2600.0)
    assert diary.phase() == "ended", "what ended stays so"


def test_lengthened_or_shortened_elsewhere_counts_when_no_write_of_ours_is_under_way():
    diary = at_phase("active")
    diary.read(meeting(minutes=50), at=700.0)
    assert diary.end() == 3600.0
    diary.read(meeting(minutes=20), at=800.0)
    assert diary.end() == 1800.0
    assert diary.due() == 1200.0
    diary.wake(1200.0)
    assert diary.due() == 1740.0


def test_a_read_that_crosses_our_own_write_does_not_undo_it():
    diary = at_phase("active")
    (effect,) = diary.ask("extend", at=700.0, seconds=600.0)
    diary.read(meeting(), at=701.0)
    assert diary.end() == 3000.0
    diary.read(meeting(start=660.0), at=702.0)
    assert diary.life().meeting.start == EPOCH + 660
    assert diary.end() == 3000.0
    diary.read(meeting(cancelled=True), at=703.0)
    assert diary.phase() == "cancelled"
    diary.written(effect.id, at=704.0)
    assert diary.phase() == "cancelled"


@pytest.mark.parametrize("outcome", ["conflict", "failed"])
def test_a_refused_extension_falls_back_to_the_calendar_and_is_tried_again_later(outcome):
    diary = at_phase("active")
    diary.run(2340.0, HERE)
    diary.written(diary.effects[-1].id, outcome, at=2341.0)
    assert (diary.end(), diary.life().extended) == (2400.0, 0)
    assert "busy" in diary.life().reason
    diary.wake(2350.0)
    assert diary.verbs() == ["extend"], "not before the calendar was read again"
    diary.read(meeting(), at=2350.5)
    assert diary.verbs() == ["extend", "extend"]
    assert diary.end() == 3300.0


def test_conflict_after_conflict_does_not_spin():
    diary = at_phase("active")
    diary.run(2340.0, HERE)
    for tick in range(600):
        at = 2340.0 + tick / 10
        if diary.life().pending not in ("", "reread"):
            diary.written(diary.effects[-1].id, "conflict", at=at)
        diary.read(meeting(), at=at)
    assert diary.verbs().count("extend") <= 5
    diary.run(2400.0)
    assert (diary.phase(), diary.life().reason) == ("ended", "its time is over")


def test_a_write_that_went_well_forgets_earlier_refusals():
    diary = at_phase("active")
    diary.run(2340.0, HERE)
    diary.written(diary.effects[-1].id, "conflict")
    diary.read(meeting())
    diary.run(2346.0)
    diary.written(diary.effects[-1].id)
    assert diary.life().refused == 0


def test_a_restart_forgets_what_was_under_way_and_decides_it_anew():
    diary = at_phase("active")
    diary.run(2350.0, HERE)
    assert diary.life().pending
    diary.say(Booted("loop", 2, "h"), at=2355.0, presence=UNKNOWN)
    assert (diary.life().pending, diary.end()) == ("", 3300.0)
    diary.read(meeting(), at=2356.0)
    assert diary.end() == 2400.0
    diary.wake(2357.0, HERE)
    assert diary.verbs() == ["extend", "extend"]


def test_a_meeting_whose_end_passed_while_the_room_was_off_is_over():
    diary = at_phase("active")
    diary.wake(9000.0, HERE)
    assert (diary.phase(), diary.effects) == ("ended", [])


def test_a_moved_meeting_begins_anew():
    diary = at_phase("active")
    diary.read(meeting(start=90_000))
    assert (diary.phase(), diary.life().reason) == ("booked", "moved")
    assert diary.life().checked_in_at == 0.0
    diary.wake(90_000.0, HERE)
    assert diary.phase() == "active"


def test_a_revived_meeting_is_asked_about_again():
    diary = Diary()
    diary.read(meeting())
    diary.read(at=10.0)
    diary.read(meeting("rival"), at=20.0)
    diary.read(meeting("rival"), meeting(), at=30.0)
    assert (diary.phase(), diary.phase("rival")) == ("declined", "open")


def test_what_overlaps_is_declined_and_the_first_comer_stays():
    diary = Diary()
    diary.read(meeting("b", 1000), meeting("a", 600), meeting("c", 2400))
    assert [(e.verb, e.meeting.uid) for e in diary.effects] == [
        ("accept", "a"), ("decline", "b"), ("accept", "c"),
    ]  # fmt: skip
    assert diary.effects[1].reason == "the room is taken then"


def test_what_is_past_is_neither_accepted_nor_in_the_way():
    diary = Diary()
    diary.read(meeting("old", -9000), meeting("new", -7500, 200))
    assert [(e.verb, e.meeting.uid) for e in diary.effects] == [("accept", "new")]
    assert diary.phase("old") == "no_show"


def test_a_meeting_that_ended_stays_so_however_long_the_calendar_shows_it():
    diary = Diary()
    day = meeting(minutes=30 * 60)
    diary.read(day)
    diary.wake(600.0, HERE)
    diary.ask("end", at=1000.0)
    for hour in range(1, 30):
        diary.read(day, at=hour * 3600.0)
        assert diary.phase() == "ended"
    diary.wake(600 + 42 * 3600 + 1.0)
    assert diary.lives == {}


def test_the_next_meeting_cannot_be_checked_in_while_one_runs():
    diary = Diary()
    diary.read(meeting(), meeting("next", 2400.0))
    diary.wake(600.0, HERE)
    diary.ask("check_in", at=2300.0, meeting="next/")
    assert diary.active() == ["m/"]


@pytest.mark.parametrize("seconds", [-600.0, math.inf, math.nan, 86401.0])
def test_nonsense_does_not_extend(seconds):
    diary = at_phase("active")
    assert diary.ask("extend", seconds=seconds) == ()
    assert diary.end() == 2400.0


def test_a_wish_without_a_meeting_is_for_the_one_the_room_serves():
    diary = at_phase("active")
    assert diary.ask("extend", seconds=60.0)[0].end == EPOCH + 2460
    assert Diary().ask("end") == ()
    assert diary.ask("end", meeting="unknown/") == ()


def test_the_room_serves_the_active_meeting_before_the_open_one():
    diary = Diary(presence=EMPTY)
    diary.read(meeting("a", 0.0, 10), meeting("b", 600.0), at=0.0)
    assert current(diary.lives, diary.now.wall).meeting.uid == "a"
    diary.ask("check_in", meeting="b/", at=100.0)
    assert current(diary.lives, diary.now.wall).meeting.uid == "b"
    assert upcoming(diary.lives, diary.now.wall).meeting.uid == "b"
    assert upcoming(diary.lives, EPOCH + 600) is None
    assert current({}, 0.0) is None
    assert Diary().due() == math.inf


def test_what_only_touches_does_not_overlap_whoever_came_first():
    diary = Diary()
    diary.read(meeting("late", 2400.0))
    diary.read(meeting("late", 2400.0), meeting("early", 600.0), at=1.0)
    assert diary.phase("early") == "open"
    assert diary.verbs() == ["accept", "accept"]


def test_reasons_say_what_presence_rested_on():
    diary = at_phase("open")
    diary.wake(600.0, HERE)
    assert diary.life().reason == "people are here (3 people in view)"
    diary = at_phase("active", empty_end_s=30.0)
    diary.wake(700.0, EMPTY)
    diary.wake(730.0)
    told = "empty for 30 s; camera: 0 people in view, microphone: no speech"
    assert diary.life().reason == told
