"""The camera plugin through simulated mornings: private unless a meeting runs, and calm."""

import random

from edge.contracts.base import Value
from tests.plugins.day import Day, booked, consent, day

PARTS = ("camera.preset", "camera.shutter")


def values(lived: Day, part: str, since: float, until: float) -> set[Value]:
    return {m.values[part] for m in lived.between(since, until)}


def test_the_shutter_is_open_for_meetings_only_and_shows_who_came():
    def people(hour: float) -> int:
        return 2 if 8.8 < hour < 9.3 else 9 if 9.3 <= hour < 9.9 else 0

    meetings = [booked("a", 9, 10)]
    with day({"camera": {}}, PARTS, meetings, people, begins=8.6) as lived:
        lived.live(10.2)
    assert values(lived, "camera.shutter", 8.6, 8.83) == {"closed"}
    assert values(lived, "camera.shutter", 9.0, 10.0) == {"open"}
    assert values(lived, "camera.shutter", 10.02, 10.2) == {"closed"}
    assert values(lived, "camera.preset", 9.05, 9.3) == {"table"}
    assert values(lived, "camera.preset", 9.32, 9.9) == {"home"}


def test_people_who_come_by_without_a_meeting_are_not_filmed():
    with day({"camera": {}}, PARTS, (), lambda _: 3, begins=12.0) as lived:
        lived.live(12.4)
    assert values(lived, "camera.shutter", 12.0, 12.4) == {"closed"}


def test_whoever_says_no_is_heard_within_the_same_step():
    hands = {9.5: consent("off"), 9.7: consent("counts")}
    meetings = [booked("a", 9, 10)]
    with day({"camera": {}}, PARTS, meetings, lambda _: 2, begins=8.9, hands=hands) as lived:
        lived.live(9.49)
        assert lived.moments[-1].values["camera.shutter"] == "open"
        lived.live(9.9)
    assert values(lived, "camera.shutter", 9.51, 9.69) == {"closed"}
    assert values(lived, "camera.shutter", 9.72, 9.9) == {"open"}


def test_a_count_that_wavers_does_not_swing_the_camera():
    rng = random.Random(3)
    with day(
        {"camera": {}}, PARTS, [booked("a", 9, 10.5)],
        lambda hour: rng.choice((3, 4, 5, 6)) if hour > 9 else 0, begins=8.9,
    ) as lived:  # fmt: skip
        lived.live(10.4)
    assert lived.busiest("camera.preset") <= 12
    assert lived.refused("plugin:camera") == set()


def test_a_presentation_shows_the_speaker_whatever_the_count():
    meetings = [booked("a", 9, 10, "slides")]
    with day({"camera": {}}, PARTS, meetings, lambda _: 12, begins=8.95) as lived:
        lived.live(9.4)
    assert values(lived, "camera.preset", 9.05, 9.4) == {"presenter"}
