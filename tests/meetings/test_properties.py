"""What holds for every diary, whatever the calendar, people and the clock do."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts.signals import (
    Booted,
    CalendarRead,
    CalendarWritten,
    Meeting,
    OperatorAsked,
    Woke,
)
from edge.meetings.life import LIVE, MeetingRules
from tests.meetings.diary import EMPTY, EPOCH, GUESS, HERE, UNKNOWN, Diary

OVER = ("ended", "no_show")
uids = st.sampled_from("abc")
events = st.builds(
    lambda uid, start, length, cancelled: Meeting(
        uid, EPOCH + start * 300, EPOCH + (start + length) * 300, cancelled=cancelled
    ),
    uids, st.integers(-2, 20), st.integers(0, 12), st.booleans(),
)  # fmt: skip
signals = st.one_of(
    st.builds(CalendarRead, st.just("calendar"), st.lists(events, max_size=3).map(tuple)),
    st.builds(
        OperatorAsked, st.just("panel"), st.sampled_from(["check_in", "extend", "end", "book"]),
        meeting=st.sampled_from(["", "a/", "b/", "c/"]),
        seconds=st.one_of(st.sampled_from([0.0, 120.0, 900.0]), st.floats()),
    ),
    st.sampled_from(["ok", "conflict", "failed"]),
    st.builds(Booted, st.just("loop"), st.integers(1, 3), st.just("h")),
    st.just(Woke()),
)  # fmt: skip
moments = st.tuples(
    st.sampled_from([0.0, 1.0, 37.5, 300.0, 600.0]),
    st.sampled_from([HERE, EMPTY, UNKNOWN, GUESS]),
    st.sampled_from([True, True, True, False]),
    signals,
)
rules = st.builds(
    MeetingRules,
    empty_end_s=st.sampled_from([0.0, 60.0]),
    extend_before_s=st.sampled_from([0.0, 60.0, 1000.0]),
    extend_step_s=st.sampled_from([300.0, 900.0]),
    forget_s=st.sampled_from([60.0, 43200.0]),
)


@settings(max_examples=150)
@given(rules, st.lists(moments, max_size=30))
def test_whatever_happens_one_meeting_is_served_and_what_ended_stays_ended(rule, story):
    diary = Diary(rule)
    for wait, presence, trusted, happens in story:
        before, signal = dict(diary.lives), happens
        diary.trusted = trusted
        if isinstance(happens, str):
            pending = next((x.pending for x in diary.lives.values() if x.pending), "none")
            signal = CalendarWritten("calendar", pending, happens)
        effects = diary.say(signal, diary.at + wait, presence)
        assert trusted or not effects
        assert len(diary.active()) <= 1
        assert len({e.id for e in effects}) == len(effects)
        for key, life in diary.lives.items():
            old = before.get(key)
            if old is not None and old.phase in OVER:
                moved = old.meeting.start != life.meeting.start
                assert life.phase == old.phase or (moved and old.phase == "no_show")
            if trusted and life.phase == "active":
                starts = [
                    x.meeting.start for k, x in diary.lives.items()
                    if k != key and x.phase in LIVE and x.meeting.start > life.meeting.start
                ]  # fmt: skip
                assert life.end <= min(starts, default=life.end)
        for effect in effects:
            assert effect.end >= effect.meeting.start
            if effect.verb == "release":
                assert presence.known
                assert not presence.occupied


@settings(max_examples=80)
@given(st.lists(events, max_size=3), st.sampled_from([HERE, EMPTY, UNKNOWN]), st.floats(0, 1))
def test_a_life_changes_only_when_it_is_due(meetings, presence, part):
    diary = Diary(presence=presence)
    diary.read(*meetings, at=-3000.0)
    for _ in range(40):
        due = diary.due()
        if due > 1e6:
            return
        between = diary.at + part * (due - diary.at)
        if diary.at < between < due:
            phases = {key: life.phase for key, life in diary.lives.items()}
            diary.wake(between)
            assert {key: life.phase for key, life in diary.lives.items()} == phases
        diary.wake(due)
    assert presence is HERE, "only people who stay keep a meeting going"
