"""Presence over time: evidence weighed, held, gone stale, forgotten at a restart or on wish."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.base import Now
from edge.contracts.signals import (
    Booted,
    CalendarRead,
    ClockChecked,
    DeviceReported,
    MachineChanged,
    Meeting,
    MotionChanged,
    NodeReading,
    OccupancyEstimated,
    OperatorAsked,
    PeopleCounted,
    SoundMeasured,
    SourceChanged,
    Woke,
)
from edge.contracts.wire import MachineReport
from edge.fusion.fuse import fuse, next_due
from edge.fusion.state import FusionRules, Presence, Reading, RoomState

RULES = FusionRules(hold_s=60)
NAN, INF = math.nan, math.inf


class Picture:
    """Fuses signals at instants that the test names."""

    def __init__(self, rules=RULES):
        self.rules, self.state, self.at = rules, RoomState(), 1000.0

    @property
    def now(self):
        return Now(1.78e9 + self.at, self.at, True)

    def say(self, *signals, at=None):
        self.at = 1000.0 + at if at is not None else self.at
        for signal in signals:
            self.state = fuse(self.state, signal, self.now, self.rules)
        return self.state.presence

    @property
    def due(self):
        return next_due(self.state, self.now, self.rules) - 1000.0


def test_at_first_nobody_can_tell():
    picture = Picture()
    assert picture.say(Woke()) == Presence()
    assert picture.due == INF


def test_people_in_view_make_the_room_occupied_at_once():
    presence = Picture().say(PeopleCounted("camera", 3))
    assert (presence.occupied, presence.known, presence.count) == (True, True, 3)
    assert presence.counted
    assert presence.probability > 0.95
    assert presence.since == 1.78e9 + 1000


def test_sources_that_agree_are_believed_more_than_one():
    alone = Picture().say(PeopleCounted("camera", 3))
    both = Picture().say(PeopleCounted("camera", 3), SoundMeasured("microphone", -30, 0.9))
    against = Picture().say(PeopleCounted("camera", 3), SoundMeasured("microphone", -60, 0))
    assert both.confidence > alone.confidence
    assert both.probability > alone.probability > against.probability


def test_silence_alone_ends_nothing_and_begins_nothing():
    picture = Picture()
    assert not picture.say(SoundMeasured("microphone", -60, 0.0)).occupied
    picture.say(PeopleCounted("camera", 1), at=1)
    presence = picture.say(SoundMeasured("microphone", -60, 0.0), at=50)
    assert (presence.occupied, presence.counted, presence.leaving) == (True, False, None)


def test_the_room_is_empty_once_it_looked_so_for_the_hold_time():
    picture = Picture()
    picture.say(PeopleCounted("camera", 2), at=0)
    assert picture.say(PeopleCounted("camera", 0), at=5).leaving == 1005
    assert picture.due == 15, "the camera's reading goes stale before the hold time ends"
    for second in range(10, 65, 5):
        assert picture.say(PeopleCounted("camera", 0), at=second).occupied
    picture.say(PeopleCounted("camera", 0), at=64)
    assert picture.due == 65
    presence = picture.say(Woke(), at=65)
    assert (presence.occupied, presence.leaving) == (False, None)
    assert presence.since == 1.78e9 + 1065
    assert picture.say(PeopleCounted("camera", 0), at=66).since == 1.78e9 + 1065


def test_a_glimpse_of_somebody_begins_the_hold_time_anew():
    picture = Picture()
    picture.say(PeopleCounted("camera", 2), at=0)
    picture.say(PeopleCounted("camera", 0), at=5)
    assert picture.say(PeopleCounted("camera", 1), at=60).leaving is None
    assert picture.say(PeopleCounted("camera", 0), at=61).leaving == 1061
    assert picture.say(PeopleCounted("camera", 0), at=120).occupied
    assert not picture.say(PeopleCounted("camera", 0), at=121).occupied


def test_doubt_between_leave_and_enter_stops_the_hold_time():
    picture = Picture()
    picture.say(PeopleCounted("camera", 2), at=0)
    picture.say(PeopleCounted("camera", 0), at=5)
    # A camera that sees none beside clear speech is undecided.
    presence = picture.say(SoundMeasured("microphone", -30, 0.99), at=6)
    assert RULES.leave < presence.probability < RULES.enter
    assert (presence.occupied, presence.leaving) == (True, None)


def test_when_all_is_stale_the_last_answer_stays_as_a_guess():
    picture = Picture()
    picture.say(PeopleCounted("camera", 2), at=0)
    picture.say(PeopleCounted("camera", 0), at=5)
    presence = picture.say(Woke(), at=15)
    assert (presence.occupied, presence.known, presence.leaving) == (True, False, None)
    assert (presence.confidence, presence.count, presence.counted) == (0.0, 0, False)
    assert presence.evidence == ()
    assert picture.due == INF


def test_leaving_lasts_its_whole_time_whatever_the_fraction():
    for tenth in range(200):
        picture = Picture(FusionRules(hold_s=7.3))
        picture.say(MotionChanged("pir", True), PeopleCounted("camera", 1), at=tenth / 10)
        picture.say(MotionChanged("pir", False), PeopleCounted("camera", 0), at=31 + tenth / 10)
        while picture.state.presence.leaving is not None:
            due = picture.due
            assert due > picture.at - 1000
            picture.at = 1000 + due
            picture.say(Woke())


def test_a_restart_keeps_the_answer_and_forgets_every_age():
    picture = Picture()
    meeting = Meeting("m", 1.0, 2.0)
    picture.say(
        PeopleCounted("camera", 2), SoundMeasured("microphone", -30, 1),
        MotionChanged("pir", True), NodeReading("board", "co2", 700.0),
        OccupancyEstimated("occupancy", 0.9, "m"), SourceChanged("camera", "ok"),
        CalendarRead("calendar", (meeting,)), ClockChecked("clock", True),
        DeviceReported("mqtt", "lamp", 3), OperatorAsked("panel", "consent", value="counts"),
    )  # fmt: skip
    since = picture.state.presence.since
    presence = picture.say(Booted("loop", 2, "h"), at=3)
    assert presence == Presence(occupied=True, since=since)
    state = picture.state
    assert (state.people, state.voice, state.level, state.estimate) == (None,) * 4
    assert (state.motion, state.readings, state.sources) == ({}, {}, {})
    assert (state.meetings, state.consent, state.reported) == ((meeting,), "counts", {"lamp": 3})
    assert not state.clock_trusted, "trust is a matter of this start"


@pytest.mark.parametrize(
    ("consent", "heard"),
    [("all", {"camera", "microphone"}), ("counts", {"camera"}), ("off", set())],
)
def test_consent_removes_evidence_and_keeps_it_out(consent, heard):
    picture = Picture()
    signals = (PeopleCounted("camera", 2), SoundMeasured("microphone", -30, 1.0))
    picture.say(*signals)
    presence = picture.say(OperatorAsked("panel", "consent", value=consent))
    assert {x.source for x in presence.evidence} == heard
    # What was under way when consent changed is not heard either.
    presence = picture.say(*signals, at=1)
    assert {x.source for x in presence.evidence} == heard
    assert (picture.state.level is not None) == (consent == "all")
    presence = picture.say(OperatorAsked("panel", "consent", value="all"), *signals, at=2)
    assert {x.source for x in presence.evidence} == {"camera", "microphone"}


@pytest.mark.parametrize("value", ["none", "", 1, True, "OFF"])
def test_an_unknown_consent_changes_nothing(value):
    picture = Picture()
    picture.say(PeopleCounted("camera", 2), OperatorAsked("panel", "consent", value=value))
    assert picture.state.consent == "all"
    assert picture.state.people is not None


def test_what_devices_sources_and_the_service_say_is_kept():
    picture = Picture()
    report = MachineReport("k", "m/", "small", "ready", 1.0)
    picture.say(
        DeviceReported("mqtt", "lamp", 20), SourceChanged("camera", "lost", "unplugged", 3),
        MachineChanged("service", (report,)), NodeReading("board", "temperature", 21.5),
        ClockChecked("clock", True),
    )  # fmt: skip
    state = picture.state
    assert state.reported == {"lamp": 20}
    assert (state.sources["camera"].health, state.sources["camera"].errors) == ("lost", 3)
    assert state.machines == (report,)
    assert state.readings["temperature"].value == 21.5
    assert state.clock_trusted


@pytest.mark.parametrize(
    "signal",
    [
        PeopleCounted("camera", -1), PeopleCounted("camera", 10**400), PeopleCounted("camera", NAN),
        SoundMeasured("m", NAN, 0.5), SoundMeasured("m", INF, 0.5), SoundMeasured("m", -3, NAN),
        SoundMeasured("m", -3, 1.01), SoundMeasured("m", -3, -0.01), SoundMeasured("m", -3, INF),
        OccupancyEstimated("o", NAN, "m"), OccupancyEstimated("o", 1.1, "m"),
        OccupancyEstimated("o", -INF, "m"), NodeReading("b", "co2", NAN),
        NodeReading("b", "co2", 0.0), NodeReading("b", "temperature", 86.0),
        NodeReading("b", "humidity", INF), NodeReading("b", "illuminance", -1.0),
    ],
)  # fmt: skip
def test_what_cannot_be_is_not_heard(signal):
    picture = Picture()
    before = picture.state
    picture.say(signal)
    assert picture.state == before


sources = st.sampled_from(["a", "b", "c"])
wild = st.one_of(st.floats(), st.floats(0, 1), st.sampled_from([NAN, INF, -INF, 1e308, -1e308]))
any_signal = st.one_of(
    st.builds(PeopleCounted, sources, st.one_of(st.integers(-2, 9), wild), wild),
    st.builds(SoundMeasured, sources, wild, wild),
    st.builds(MotionChanged, st.text(max_size=3), st.booleans()),
    st.builds(OccupancyEstimated, sources, wild, st.just("m")),
    st.builds(NodeReading, sources, st.sampled_from(["temperature", "co2"]), wild),
    st.builds(
        OperatorAsked, sources, st.just("consent"),
        value=st.sampled_from(["all", "counts", "off", "x", NAN]),
    ),
    st.builds(Booted, sources, st.integers(0, 3), st.just("h")),
    st.just(Woke()),
)  # fmt: skip


def answer(presence):
    return (
        presence.occupied, presence.probability, presence.count, presence.known,
        presence.confidence, presence.since, presence.leaving,
    )  # fmt: skip


@given(st.lists(st.tuples(st.floats(0, 90), any_signal), max_size=30), st.floats(0, 1))
def test_whatever_is_said_presence_is_sound_and_changes_only_when_due(steps, part):
    picture = Picture(FusionRules(hold_s=13.7))
    for wait, signal in steps:
        picture.at += wait
        presence = picture.say(signal)
        assert 0.0 <= presence.probability <= 1.0
        assert 0.0 <= presence.confidence <= 1.0
        assert presence.known == bool(presence.evidence)
        assert all(math.isfinite(x.odds) for x in presence.evidence)
        due = next_due(picture.state, picture.now, picture.rules)
        assert due > picture.at
        # Nothing changes before it is due: look anywhere in between, and just before it.
        for later in (picture.at + part * (min(due, 1e6) - picture.at), math.nextafter(due, 0)):
            if picture.at <= later < due:
                now = Now(picture.now.wall + later - picture.at, later, True)
                seen = fuse(picture.state, Woke(), now, picture.rules).presence
                assert answer(seen) == answer(presence)


def test_a_thousand_sensors_do_not_overflow():
    picture = Picture()
    motion = {f"pir{n}": Reading(0.0, f"pir{n}", 1000.0) for n in range(1300)}
    picture.state = RoomState(motion=motion)
    assert picture.say(Woke(), at=60).probability == 0.0


def test_a_sensors_first_word_that_nothing_moves_is_no_motion_just_now():
    picture = Picture()
    picture.say(MotionChanged("node:a", False))
    assert [x.says for x in picture.state.presence.evidence] == ["no motion for 0 s"]
    picture.say(MotionChanged("node:a", True))
    picture.say(MotionChanged("node:a", False))
    assert [x.says for x in picture.state.presence.evidence] == ["motion just now"]


def test_motion_goes_on_until_the_board_says_otherwise_or_is_lost():
    picture = Picture()
    picture.say(MotionChanged("node:a", True))
    picture.say(Woke(), at=3600)
    assert picture.state.presence.occupied
    picture.say(SourceChanged("node:a", "lost", "silent"))
    assert picture.state.motion == {}
    assert not picture.state.presence.known


def test_sensors_that_said_nothing_for_long_are_forgotten_but_not_those_that_see_motion():
    picture = Picture()
    picture.say(MotionChanged("a", True), MotionChanged("b", True), at=0)
    picture.say(MotionChanged("b", False), at=1)
    picture.say(MotionChanged("c", True), at=200)
    assert list(picture.state.motion) == ["a", "c"]
