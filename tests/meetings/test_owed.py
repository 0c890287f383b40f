"""What the calendar was asked is asked again after a restart, until it answered."""

from edge.contracts.signals import Booted, ClockChecked
from tests.meetings.diary import EMPTY, EPOCH, HERE, UNKNOWN, Diary, at_phase, meeting


def restart(diary, at):
    """A new process: the clock is not trusted at first."""
    diary.trusted = False
    diary.say(Booted("loop", 2, "h"), at=at, presence=UNKNOWN)
    diary.trusted = True
    return diary.say(ClockChecked("clock", True))


def test_writes_without_an_answer_are_asked_again_with_new_ids():
    diary = Diary()
    diary.read(meeting(), at=0.0)
    diary.wake(600.0, HERE)
    assert diary.verbs() == ["accept", "check_in"]
    first = {effect.id for effect in diary.effects}
    again = restart(diary, 610.0)
    assert [effect.verb for effect in again] == ["accept", "check_in"]
    assert first.isdisjoint(effect.id for effect in again)
    for effect in again:
        diary.written(effect.id)
    assert restart(diary, 620.0) == ()


def test_an_answer_of_any_kind_ends_the_debt():
    diary = Diary()
    diary.read(meeting(), at=0.0)
    diary.written(diary.effects[0].id, "failed")
    assert diary.life().owed == ()


def test_a_walk_up_reaches_the_calendar_although_the_room_died_first():
    diary = Diary()
    diary.ask("book", 0.0, seconds=1800)
    (uid,) = {life.meeting.uid for life in diary.lives.values()}
    again = restart(diary, 5.0)
    assert [(e.verb, e.meeting.uid) for e in again] == [("book", uid)]


def test_what_was_asked_of_a_meeting_that_moved_is_not_asked_again():
    diary = Diary()
    diary.read(meeting(), at=0.0)
    diary.wake(600.0, HERE)
    diary.written(diary.effects[0].id)
    diary.trusted = False
    diary.say(Booted("loop", 2, "h"), at=610.0, presence=UNKNOWN)
    diary.read(meeting(start=7200.0))
    diary.trusted = True
    assert "check_in" not in [e.verb for e in diary.say(ClockChecked("clock", True))]


def test_a_write_an_hour_after_its_meeting_is_given_up():
    diary = at_phase("active")
    diary.ask("end", 700.0)
    assert restart(diary, 700.0 + 3601.0) == ()


def test_only_the_latest_of_a_verb_is_owed():
    diary = at_phase("open")
    diary.wake(600.0, HERE)
    diary.read(meeting(start=7200.0), at=650.0)
    diary.wake(7200.0, HERE)
    verbs = [effect.verb for effect in diary.life().owed]
    assert len(verbs) == len(set(verbs))
    assert diary.life().meeting.start == EPOCH + 7200.0
    diary.wake(7300.0, EMPTY)
