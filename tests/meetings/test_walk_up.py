"""Somebody who books the room at its door: how long, beside what, and what the calendar says."""

import math

import pytest

from tests.meetings.diary import EMPTY, EPOCH, UNKNOWN, Diary, at_phase, meeting


def test_a_walk_up_is_active_at_once_and_survives_reads_that_do_not_know_it():
    diary = Diary()
    (effect,) = diary.ask("book", at=100.0, title="Now", seconds=1200.0)
    key = effect.meeting.key
    assert effect.verb == "book"
    assert effect.meeting.uid == "r-1-1@roomkeeper"
    assert (diary.lives[key].phase, diary.lives[key].unread) == ("active", True)
    diary.read(at=101.0)
    assert diary.active() == [key]
    diary.read(effect.meeting, at=102.0)
    assert not diary.lives[key].unread
    diary.read(at=103.0)
    assert diary.lives[key].phase == "cancelled"


def test_an_invitation_that_crosses_an_unread_walk_up_is_declined():
    diary = Diary()
    diary.ask("book", at=0.0)
    diary.read(meeting("other", 1000.0), at=1.0)
    assert diary.phase("other") == "declined"


@pytest.mark.parametrize(
    ("seconds", "end"),
    [(0.0, 1800.0), (600.0, 600.0), (59.0, None), (-5.0, None), (1e9, None), (math.nan, None)],
)
def test_a_walk_up_lasts_as_long_as_asked_within_reason(seconds, end):
    diary = Diary()
    effects = diary.ask("book", seconds=seconds)
    assert [e.end - EPOCH for e in effects] == ([] if end is None else [end])


def test_a_walk_up_ends_where_the_next_meeting_begins():
    diary = Diary()
    diary.read(meeting(start=900.0))
    assert diary.ask("book")[0].end == EPOCH + 900.0
    diary = Diary()
    diary.read(meeting(start=59.0))
    assert diary.ask("book") == ()


def test_no_walk_up_beside_a_meeting_that_was_checked_in_early():
    diary = at_phase("open")
    diary.ask("check_in", at=10.0)
    assert diary.ask("book", at=20.0) == ()


def test_a_walk_up_at_the_very_edge_of_other_meetings():
    diary = at_phase("active")
    diary.run(2400.0, EMPTY)
    (effect,) = diary.ask("book", seconds=60.0)
    assert (effect.end - EPOCH, effect.meeting.title) == (2460.0, "Walk-up meeting")
    diary = Diary(presence=UNKNOWN)
    diary.read(meeting())
    assert diary.ask("book", at=600.0) == ()
    assert Diary().ask("book", seconds=86_400.0, title="Day")[0].meeting.title == "Day"
