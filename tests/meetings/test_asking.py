"""Emptiness ends or releases a meeting when evidence agrees or a person says so; else it stays."""

import pytest
from msgspec import structs

from edge.contracts.signals import Booted
from edge.fusion.state import Evidence
from edge.meetings.asking import keep
from tests.meetings.diary import EMPTY, HERE, SILENT, UNKNOWN, UNSEEN, at_phase

ALONE = structs.replace(EMPTY, evidence=(UNSEEN,))
AIR = Evidence("occupancy", 0.9, "air and light suggest 90%", "air")
DISPUTED = structs.replace(EMPTY, evidence=(UNSEEN, SILENT, AIR))

PHASES = {
    # phase: (rules, when nobody has been there long enough, phase and verb it would come to)
    "open": ({}, 1200.0, "no_show", "release"),
    "active": ({"empty_end_s": 30.0}, 730.0, "ended", "end"),
}


def empty(phase, presence):
    """A meeting that nobody is at, for long enough, as far as `presence` says."""
    rules, at, over, verb = PHASES[phase]
    diary = at_phase(phase, **rules)
    diary.wake(700.0, presence)
    diary.wake(at)
    return diary, over, verb


@pytest.mark.parametrize("phase", PHASES)
def test_kinds_that_agree_suffice(phase):
    diary, over, verb = empty(phase, EMPTY)
    assert (diary.phase(), diary.verbs()) == (over, [verb])
    assert diary.life().reason.endswith("; camera: 0 people in view, microphone: no speech")
    assert diary.effects[-1].reason == diary.life().reason


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    ("presence", "says"),
    [(ALONE, "camera: 0 people in view"), (DISPUTED, "occupancy: air and light suggest 90%")],
)
def test_one_kind_alone_or_one_against_asks_a_person_and_stays(phase, presence, says):
    diary, _, _ = empty(phase, presence)
    began = diary.at
    life = diary.life()
    assert (diary.phase(), diary.verbs()) == (phase, [])
    assert life.asked == diary.now.wall + 120.0
    assert life.reason == f"asks whether anybody is here ({says})"
    assert diary.due() == began + 120.0
    diary.wake(began + 119.9)
    assert diary.life().asked
    diary.wake(began + 120.0)
    assert (diary.life().asked, diary.phase(), diary.verbs()) == (0.0, phase, [])
    assert diary.life().reason == "nobody answered: it stays"


@pytest.mark.parametrize("phase", PHASES)
def test_without_an_answer_it_asks_again_much_later(phase):
    diary, _, _ = empty(phase, ALONE)
    began = diary.at
    diary.run(began + 1019.0)
    assert not diary.life().asked
    diary.run(began + 1020.0)
    assert diary.life().asked == diary.now.wall + 120.0


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("later", [10.0, 200.0])
def test_evidence_that_comes_to_agree_does_not_wait_for_a_person(phase, later):
    diary, over, verb = empty(phase, ALONE)
    diary.wake(diary.at + later, EMPTY)
    assert (diary.phase(), diary.verbs()) == (over, [verb])
    assert diary.life().asked == 0.0


@pytest.mark.parametrize("phase", PHASES)
def test_a_person_says_yes(phase):
    diary, over, verb = empty(phase, ALONE)
    diary.ask("end", meeting="m/")
    assert (diary.phase(), diary.verbs()) == (over, [verb])
    told = "given back at the panel" if phase == "open" else "ended at the panel"
    assert diary.life().reason == told


@pytest.mark.parametrize("phase", PHASES)
def test_a_person_says_keep_and_no_evidence_overrules_it_for_a_while(phase):
    diary, over, _ = empty(phase, ALONE)
    began = diary.at
    diary.ask("keep", meeting="m/")
    assert (diary.life().asked, diary.life().reason) == (0.0, "kept at the panel")
    diary.run(began + 899.0, EMPTY)
    assert (diary.phase(), diary.verbs()) == (phase, [])
    diary.run(began + 900.5)
    assert diary.phase() == over
    assert diary.life().over_at == diary.now.wall - 0.5


@pytest.mark.parametrize("phase", PHASES)
def test_somebody_who_comes_withdraws_the_question(phase):
    diary, _, _ = empty(phase, ALONE)
    diary.wake(diary.at + 5, HERE)
    assert diary.life().asked == 0.0
    assert diary.phase() == "active"
    diary, _, _ = empty(phase, ALONE)
    diary.wake(diary.at + 5, UNKNOWN)
    assert diary.life().asked == 0.0


@pytest.mark.parametrize("phase", PHASES)
def test_while_paused_nothing_ends_and_nobody_is_asked(phase):
    for presence in (EMPTY, ALONE):
        rules, at, over, _ = PHASES[phase]
        diary = at_phase(phase, **rules)
        diary.paused = True
        diary.wake(700.0, presence)
        diary.wake(at)
        assert (diary.phase(), diary.life().asked, diary.verbs()) == (phase, 0.0, [])
        diary.paused = False
        diary.wake(at + 1)
        assert diary.phase() == (over if presence is EMPTY else phase)
    diary, _, _ = empty(phase, ALONE)
    diary.paused = True
    diary.wake()
    assert diary.life().asked == 0.0


@pytest.mark.parametrize("phase", PHASES)
def test_one_kind_suffices_where_the_room_says_so(phase):
    rules, at, over, _ = PHASES[phase]
    diary = at_phase(phase, agree_kinds=1, **rules)
    diary.wake(700.0, ALONE)
    diary.wake(at)
    assert diary.phase() == over


def test_nobody_keeps_or_gives_back_what_nobody_asked_about():
    diary = at_phase("open")
    before = diary.life()
    diary.ask("keep", meeting="m/")
    diary.ask("end", meeting="m/")
    assert diary.life().phase == "open"
    assert keep(before, "panel", diary.rules, diary.now) is before


def test_a_meeting_whose_time_is_over_ends_without_being_asked_about():
    diary, _, _ = empty("active", ALONE)
    diary.run(2400.0)
    assert diary.phase() == "ended"
    assert diary.life().reason == "its time is over"


def test_after_a_restart_it_is_asked_anew():
    diary, _, _ = empty("active", ALONE)
    diary.say(Booted("loop", 2, "h"), presence=UNKNOWN)
    assert not diary.life().asked
    diary.wake(diary.at + 10, ALONE)
    diary.run(diary.at + 30)
    assert diary.life().asked
    diary.ask("end", meeting="m/")
    assert diary.phase() == "ended"
