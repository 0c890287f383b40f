"""The inbox: no edge is lost, a level is its latest, and nobody waits for ever."""

import math
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import inbox as box
from edge.contracts.signals import (
    MotionChanged,
    NodeReading,
    OccupancyEstimated,
    PeopleCounted,
    SoundMeasured,
    SourceChanged,
    Woke,
)
from edge.inbox import CROWD, EDGES_IN_A_ROW, Inbox, near
from tests.world.waiting import until, within


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def inbox(clock):
    return Inbox(clock)


def edge(number):
    return Woke(str(number))


def count(number, source="camera"):
    return PeopleCounted(source, number)


def taken(inbox, clock):
    """Everything that may be taken at this instant."""
    found = []
    while (signal := inbox.take(clock.now)) is not None:
        found.append(signal)
    return found


def test_edges_come_in_the_order_of_posting(inbox, clock):
    sent = [edge(n) for n in range(500)]
    for signal in sent:
        inbox.post(signal)
    assert taken(inbox, clock) == sent


def test_what_is_taken_next_is_known_by_its_kind(inbox, clock):
    assert not inbox.followed_by(Woke)
    inbox.post(PeopleCounted("camera", 1))
    assert not inbox.followed_by(PeopleCounted)
    inbox.post(Woke("a"))
    assert inbox.followed_by(Woke)
    assert not inbox.followed_by(MotionChanged)
    assert inbox.take(clock.now) == Woke("a")
    assert not inbox.followed_by(Woke)


def test_a_level_that_is_due_comes_before_what_else_would_follow(inbox, clock):
    inbox.post(PeopleCounted("camera", 1))
    for _ in range(EDGES_IN_A_ROW + 1):
        inbox.post(Woke())
    for _ in range(EDGES_IN_A_ROW):
        assert inbox.followed_by(Woke)
        inbox.take(clock.now)
    assert not inbox.followed_by(Woke)
    assert inbox.take(clock.now) == PeopleCounted("camera", 1)
    assert inbox.followed_by(Woke)


def test_an_unread_level_is_replaced_and_counted(inbox, clock):
    before = box.OVERWRITTEN._value.get()
    for number in range(4):
        inbox.post(count(number))
    inbox.post(count(9, "other"))
    assert taken(inbox, clock) == [count(3), count(9, "other")]
    assert box.OVERWRITTEN._value.get() - before == 3


def test_quantities_of_one_board_do_not_replace_each_other(inbox, clock):
    inbox.post(NodeReading("board", "co2", 700.0))
    inbox.post(NodeReading("board", "temperature", 21.0))
    assert len(taken(inbox, clock)) == 2


def test_a_level_waits_until_a_second_after_the_last_of_its_slot(inbox, clock):
    inbox.post(count(1))
    assert taken(inbox, clock) == [count(1)]
    inbox.post(count(2))
    clock.now += 0.99
    assert taken(inbox, clock) == []
    inbox.post(count(3))
    clock.now += 0.01
    assert taken(inbox, clock) == [count(3)]


def test_a_level_that_says_nothing_new_is_dropped_until_it_must_be_refreshed(inbox, clock):
    before = box.UNCHANGED._value.get()
    inbox.post(count(1))
    assert len(taken(inbox, clock)) == 1
    for _ in range(4):
        clock.now += 1.0
        inbox.post(count(1))
        assert taken(inbox, clock) == []
    assert box.UNCHANGED._value.get() - before == 4
    clock.now += 1.0
    inbox.post(count(1))
    assert taken(inbox, clock) == [count(1)]


def test_levels_are_taken_in_turn(inbox, clock):
    for number in range(5):
        inbox.post(count(number, f"camera{number}"))
    assert [s.count for s in taken(inbox, clock)] == [0, 1, 2, 3, 4]


def test_a_flood_of_edges_delays_a_level_but_does_not_starve_it(inbox, clock):
    many = 2 * box.EDGES_IN_A_ROW
    inbox.post(count(1))
    inbox.post_all([edge(number) for number in range(many)])
    found = taken(inbox, clock)
    assert found.index(count(1)) == box.EDGES_IN_A_ROW
    assert [s for s in found if isinstance(s, Woke)] == [edge(n) for n in range(many)]


KINDS = {"edge": Woke("a"), "other": SourceChanged("s", "ok"), "level": count(1)}


@given(st.lists(st.sampled_from(sorted(KINDS)), max_size=40), st.integers(0, 40))
def test_those_taken_together_are_those_that_would_be_taken_and_followed_one_by_one(kinds, limit):
    together, single = Inbox(lambda: 0.0), Inbox(lambda: 0.0)
    for inbox in (together, single):
        inbox.post_all([KINDS[kind] for kind in kinds])
    expected = []
    while len(expected) < limit and single.followed_by(Woke):
        signal = single.take(-math.inf)
        if not single.followed_by(Woke):
            break
        expected.append(signal)
    assert together.take_followed(Woke, limit) == expected
    assert together.edges == sum(kind != "level" for kind in kinds) - len(expected)


def test_those_taken_together_leave_a_level_its_turn(inbox, clock):
    inbox.post(count(1))
    inbox.post_all([edge(number) for number in range(3 * box.EDGES_IN_A_ROW)])
    first = inbox.take_followed(Woke, 10 * box.EDGES_IN_A_ROW)
    # The last of a row is taken alone: what follows it is the level.
    assert len(first) == box.EDGES_IN_A_ROW - 1
    assert inbox.take_followed(Woke, 10) == []
    assert inbox.take(clock.now) == edge(box.EDGES_IN_A_ROW - 1)
    assert inbox.take(clock.now) == count(1)


def test_who_waits_for_room_goes_on_once_a_crowd_is_taken_together(inbox):
    inbox.post_all([edge(number) for number in range(box.CROWD)])
    waits = threading.Thread(target=inbox.wait_for_room, args=(60.0,))
    waits.start()
    until(lambda: inbox._changed._waiters)
    inbox.take_followed(Woke, 2)
    waits.join(30)
    assert not waits.is_alive()


def test_what_waits_is_left_to_others_until_somebody_wakes_or_the_time_is_over(inbox):
    began = time.monotonic()
    inbox.leave(60.0)  # nothing waits
    inbox.post(edge(1), wake=False)
    inbox.leave(0.02)
    leaves = threading.Thread(target=inbox.leave, args=(60.0,))
    leaves.start()
    until(lambda: inbox._changed._waiters)
    inbox.wake()
    leaves.join(30)
    assert not leaves.is_alive()
    inbox.leave(60.0)  # somebody woke who was not waiting just then
    assert 0.02 <= time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (count(2), count(2), True),
        (PeopleCounted("c", 2, 0.1), PeopleCounted("c", 2, 0.9), True),
        (count(2), count(3), False),
        (SoundMeasured("m", -40, 0.1), SoundMeasured("m", -42.9, 0.2), True),
        (SoundMeasured("m", -40, 0.1), SoundMeasured("m", -43, 0.1), False),
        (SoundMeasured("m", -40, 0.49), SoundMeasured("m", -40, 0.5), False),
        (SoundMeasured("m", -40, 0.51), SoundMeasured("m", -40, 0.99), False),
        (SoundMeasured("m", -3, 0.9, 0.0), SoundMeasured("m", -3, 0.9, 0.002), False),
        (NodeReading("b", "co2", 700), NodeReading("b", "co2", 710), True),
        (NodeReading("b", "co2", 700), NodeReading("b", "co2", 711), False),
        (OccupancyEstimated("o", 0.5, "m"), OccupancyEstimated("o", 0.54, "m"), True),
        (OccupancyEstimated("o", 0.5, "m"), OccupancyEstimated("o", 0.56, "m"), False),
        (count(2), SoundMeasured("camera", -3, 0.0), False),
        (edge(1), edge(1), False),
    ],
)
def test_near_is_what_a_sensor_cannot_tell_apart(one, other, same):
    assert near(one, other) is same
    assert near(other, one) is same


def test_nothing_to_take_is_none_at_the_instant_asked_for(inbox, clock):
    assert inbox.take(clock.now) is None
    assert inbox.take(clock.now - 5) is None


def test_taking_waits_until_something_is_posted(inbox):
    found = []
    thread = threading.Thread(target=lambda: found.append(inbox.take(float("inf"))))
    thread.start()
    inbox.post(edge(1))
    thread.join(5)
    assert found == [edge(1)]


def test_close_wakes_who_takes_and_who_posts_and_nothing_is_taken_any_more(inbox, monkeypatch):
    monkeypatch.setattr(box, "EDGE_LIMIT", 3)
    for number in range(3):
        inbox.post(edge(number))
    poster = threading.Thread(target=inbox.post, args=(edge(3),))
    poster.start()
    other = Inbox(lambda: 0.0)
    taker = threading.Thread(target=other.take, args=(float("inf"),))
    taker.start()
    assert not inbox.closed
    inbox.close()
    other.close()
    for thread in (poster, taker):
        thread.join(5)
        assert not thread.is_alive()
    inbox.post(edge(4))
    inbox.post(count(1))
    assert inbox.closed
    assert inbox.take(float("inf")) is None


def test_who_posts_into_a_full_inbox_waits_and_nothing_is_lost(inbox, clock, monkeypatch):
    monkeypatch.setattr(box, "EDGE_LIMIT", 4)
    sent = [edge(n) for n in range(40)]
    poster = threading.Thread(target=lambda: [inbox.post(s) for s in sent])
    poster.start()
    until(lambda: len(inbox._edges) == 4)
    assert poster.is_alive()
    found = []
    until(lambda: found.extend(taken(inbox, clock)) or len(found) == 40)
    poster.join(5)
    assert found == sent


def test_the_thread_that_takes_never_waits_for_itself(inbox, clock, monkeypatch):
    monkeypatch.setattr(box, "EDGE_LIMIT", 2)
    assert inbox.take(clock.now) is None
    for number in range(5):
        inbox.post(edge(number))
    assert taken(inbox, clock) == [edge(n) for n in range(5)]


posts = st.one_of(
    st.builds(MotionChanged, st.just("pir"), st.booleans()),
    st.builds(PeopleCounted, st.sampled_from(["a", "b"]), st.integers(0, 2)),
    st.floats(0, 3),
)


@given(st.lists(posts, max_size=60))
def test_whatever_is_posted_edges_all_come_and_levels_at_most_once_a_second(story):
    clock = Clock()
    inbox = Inbox(clock)
    sent, found, at, last = [], [], {}, {}
    for item in story:
        if isinstance(item, float):
            clock.now += item
            for signal in taken(inbox, clock):
                if isinstance(signal, MotionChanged):
                    found.append(signal)
                    continue
                assert signal == last[signal.source]
                assert clock.now >= at.get(signal.source, 0.0) + 1.0
                at[signal.source] = clock.now
            continue
        inbox.post(item)
        if isinstance(item, MotionChanged):
            sent.append(item)
        else:
            last[item.source] = item
    found += [s for s in taken(inbox, clock) if isinstance(s, MotionChanged)]
    assert found == sent


def test_who_is_woken_before_it_waits_does_not_wait():
    inbox = Inbox(time.monotonic)
    inbox.wake()
    with within(5):
        inbox.wait(time.monotonic() + 50)
    began = time.monotonic()
    inbox.wait(began + 0.01)
    assert time.monotonic() >= began + 0.01


def test_who_brings_a_crowd_waits_until_there_is_room_again():
    inbox = Inbox(time.monotonic)
    for number in range(CROWD + 5):
        inbox.post(MotionChanged(f"pir{number}", True))
    waiting = threading.Thread(target=inbox.wait_for_room, args=(30.0,))
    waiting.start()
    for _ in range(5):
        assert inbox.take(-math.inf) is not None
    assert inbox.edges == CROWD
    assert waiting.is_alive()
    assert inbox.take(-math.inf) is not None
    waiting.join(10)
    assert not waiting.is_alive()


def test_who_brings_a_crowd_waits_no_longer_than_it_says_and_not_for_a_closed_inbox():
    inbox = Inbox(time.monotonic)
    for number in range(CROWD):
        inbox.post(MotionChanged(f"pir{number}", True))
    inbox.wait_for_room(0.01)
    assert inbox.edges == CROWD
    inbox.close()
    inbox.wait_for_room(60.0)
