"""What each source says of presence, and for how long."""

import math

import pytest

from edge.fusion import evidence as e
from edge.fusion.evidence import fresh, gather, stale_at
from edge.fusion.state import FusionRules, Reading, RoomState

RULES = FusionRules(
    people_stale_s=10, voice_stale_s=20, motion_stale_s=120, estimate_stale_s=30, hold_s=60
)
T = 1000.0


def heard(kind, value, source="s"):
    reading = Reading(value, source, T)
    return RoomState(**{kind: {source: reading} if kind == "motion" else reading})


@pytest.mark.parametrize(
    ("kind", "value", "age", "odds", "says"),
    [
        ("people", 0, 0, e.UNSEEN, "0 people in view"),
        ("people", 1, 9.9, e.SEEN, "1 person in view"),
        ("people", 7, 0, e.SEEN, "7 people in view"),
        ("people", 7, 10, None, ""),
        ("voice", 0.0, 0, e.SILENCE, "no speech"),
        ("voice", 0.49, 0, e.SILENCE, "no speech"),
        ("voice", 0.5, 0, 0.0, "speech 50%"),
        ("voice", 0.75, 0, e.SPEECH / 2, "speech 75%"),
        ("voice", 1.0, 19.9, e.SPEECH, "speech 100%"),
        ("voice", 1.0, 20, None, ""),
        ("motion", 1.0, 119, e.MOTION, "motion"),
        ("motion", 1.0, 1e6, e.MOTION, "motion"),
        ("motion", 0.5, 29.9, e.RECENT_MOTION, "motion just now"),
        ("motion", 0.5, 30, e.NO_MOTION, "no motion for 30 s"),
        ("motion", 0.5, 120, None, ""),
        ("motion", 0.0, 0, e.NO_MOTION, "no motion for 0 s"),
        ("motion", 0.0, 30, e.NO_MOTION, "no motion for 30 s"),
        ("motion", 0.0, 119, e.NO_MOTION, "no motion for 119 s"),
        ("motion", 0.0, 120, None, ""),
        ("estimate", 0.5, 0, 0.0, "air and light suggest 50%"),
        ("estimate", 0.0, 0, -e.ESTIMATE_LIMIT, "air and light suggest 0%"),
        ("estimate", 1.0, 29.9, e.ESTIMATE_LIMIT, "air and light suggest 100%"),
        ("estimate", 0.7, 0, 0.4 * math.log(7 / 3), "air and light suggest 70%"),
        ("estimate", 0.7, 30, None, ""),
    ],
)
def test_each_source_says_its_part_while_it_is_fresh(kind, value, age, odds, says):
    found = gather(heard(kind, value), RULES, T + age)
    assert [(x.source, x.says) for x in found] == ([] if odds is None else [("s", says)])
    assert odds is None or found[0].odds == pytest.approx(odds)


def test_every_motion_sensor_speaks_for_itself_in_a_fixed_order():
    state = RoomState(motion={"b": Reading(1, "b", T), "a": Reading(0, "a", T - 50)})
    assert [(x.source, x.odds) for x in gather(state, RULES, T)] == [
        ("a", e.NO_MOTION), ("b", e.MOTION),
    ]  # fmt: skip


def test_stale_at_names_when_each_reading_says_less_or_nothing():
    state = RoomState(
        people=Reading(1, "c", T), voice=Reading(1, "m", T), estimate=Reading(1, "o", T),
        motion={"a": Reading(0, "a", T)},
    )  # fmt: skip
    assert sorted(stale_at(state, RULES, T)) == [T + 10, T + 20, T + 30, T + 30, T + 120]
    assert stale_at(RoomState(), RULES, T) == []


def test_very_many_motion_sensors_are_told_of_together_and_weigh_the_same():
    says = [(1.0, T), (0.5, T), (0.5, T - 50), (0.0, T)] * 20
    motion = {f"n{i:02}": Reading(v, f"n{i:02}", at) for i, (v, at) in enumerate(says)}
    (found,) = gather(RoomState(motion=motion), RULES, T)
    assert found.odds == pytest.approx(20 * (e.MOTION + e.RECENT_MOTION + 2 * e.NO_MOTION))
    assert found.says == "motion at 20 sensors, just now at 20, none at 40"


def test_the_next_of_several_sensors_to_say_less_is_named():
    motion = {
        "a": Reading(0.5, "a", T - 200), "b": Reading(1, "b", T - 100),
        "c": Reading(0.5, "c", T - 40), "d": Reading(0.5, "d", T - 10),
    }  # fmt: skip
    # c stops to be evidence, d stops to be "just now"; b moves until it says otherwise.
    assert sorted(stale_at(RoomState(motion=motion), RULES, T)) == [T + 20, T + 80]


def test_a_reading_is_stale_exactly_when_stale_at_says_so():
    # 1000.1 + 10 - 1000.1 is less than 10 in floating point.
    for tenth in range(1000):
        reading = Reading(1, "c", 1000 + tenth / 10)
        (end,) = stale_at(RoomState(people=reading), RULES, T)
        assert fresh(reading, RULES.people_stale_s, end) is None
        assert fresh(reading, RULES.people_stale_s, math.nextafter(end, 0)) is reading
    assert fresh(None, 1, T) is None
