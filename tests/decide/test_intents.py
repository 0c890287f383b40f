"""Which intents a meeting chooses, what they ask together, and when the room begins to be so."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.signals import PeopleCounted
from edge.decide.intents import Intent, Slo, choice, choose, named
from tests.world.room import EPOCH, SETTINGS, Room, meeting

NOBODY = [PeopleCounted("camera", 0)]

BRIGHT = Intent(
    "bright", "Bright", ("b",), {"light.main": 90, "blind.west": 0}, lead_s=60.0,
    slo=Slo(ready_s=5.0, light_within=10.0), description="Light.",
)  # fmt: skip
WARM = Intent(
    "warm", "Warm", ("w",), {"light.main": 50, "climate.setpoint": 23}, vm="demo-small",
    lead_s=300.0, leads={"light.main": 30.0}, vm_lead_s=900.0,
    slo=Slo(ready_s=20.0, light_within=3.0, machine_ready_s=9.0), description="Warmth.",
)  # fmt: skip
DARK = Intent("dark", "Dark", ("d",), {"light.main": 5}, exclusive=("bright",))
DEFAULT = Intent("default", "Meeting", ())
ALL = (BRIGHT, WARM, DARK, DEFAULT)


@pytest.mark.parametrize(
    ("categories", "name"),
    [
        (("demo",), "live-demo"), (("#DEMO",), "live-demo"), (("live-demo",), "live-demo"),
        (("other", "Quiet"), "quiet-video"), (("quiet", "demo"), "live-demo+quiet-video"),
        ((), "default"), (("##demo",), "live-demo"), (("demo ",), "default"),
    ],
)  # fmt: skip
def test_a_meeting_chooses_every_intent_whose_tag_it_carries(categories, name):
    assert choose(meeting(categories=categories), SETTINGS.intents).name == name


def test_without_a_default_a_plain_meeting_asks_for_nothing():
    intent = choose(meeting(categories=()), [Intent("quiet", "Quiet", ("q",), {"x": 1})])
    assert (intent.name, intent.targets, intent.vm) == ("default", {}, "")


@pytest.mark.parametrize("categories", [("w", "b"), ("b", "w"), ("warm", "#bright", "other")])
def test_of_several_the_first_declared_counts_and_the_strictest_promise(categories):
    both = choose(meeting(categories=categories), ALL)
    assert both.name == "bright+warm"
    assert both.title == "Bright + Warm"
    assert both.description == "Light. Warmth."
    assert both.parts == ("bright", "warm")
    assert both.targets == {"light.main": 90, "blind.west": 0, "climate.setpoint": 23}
    assert (both.vm, both.vm_lead_s, both.lead_s) == ("demo-small", 900.0, 300.0)
    assert both.leads == {"light.main": 60.0, "blind.west": 60.0}
    assert both.all_leads == (300.0, 60.0)
    assert both.slo == Slo(ready_s=20.0, machine_ready_s=9.0, light_within=3.0)


@given(st.lists(st.sampled_from(["b", "w", "d", "other", "#b", "WARM"]), max_size=6))
def test_whatever_a_meeting_is_tagged_with_what_it_gets_is_declared_and_in_order(tags):
    found = choice(meeting(categories=tuple(tags)), ALL)
    again = choice(meeting(categories=tuple(reversed(tags))), ALL)
    assert again == found, "the order of tags means nothing"
    parts = [i for i in ALL if i.name in (found.intent.parts or (found.intent.name,))]
    for actuator, value in found.intent.targets.items():
        first = next(i for i in parts if actuator in i.targets)
        assert value == first.targets[actuator]
        assert found.intent.lead(actuator) >= first.lead(actuator)
    assert found.leads == tuple(sorted(found.leads, reverse=True))
    names = {i.name for i in parts}
    assert not names & set(found.left_out)
    assert not {"bright", "dark"} <= names


def test_what_excludes_another_is_left_out_and_says_so():
    for categories in (("dark", "bright"), ("bright", "dark")):
        found = choice(meeting(categories=categories), ALL)
        assert found.intent is BRIGHT
        assert found.matched == {"bright": "#bright"}
        assert found.left_out == {
            "dark": "#dark cannot go with bright, which is declared first",
        }
    assert choice(meeting(categories=("d", "w")), ALL).matched == {"warm": "#w", "dark": "#d"}


def test_what_a_meeting_asks_for_and_does_not_get_is_said_once():
    room = Room(replace(SETTINGS, intents=ALL))
    said = room.calendar(meeting(categories=("d", "b"))).decision.notes
    assert "meeting m1: without dark: #d cannot go with bright, which is declared first" in said
    room.calendar(meeting(categories=("d", "b"), title="Moved"))
    room.wait(1200, NOBODY)
    notes = [note for d in room.decisions() for note in d.notes if "without dark" in note]
    assert len(notes) == 1


def test_an_intent_is_found_again_by_the_name_in_a_decision():
    assert named("bright", ALL) is BRIGHT
    assert named("bright+warm", ALL) == choose(meeting(categories=("b", "w")), ALL)
    for name in ("", "+", "bright+gone", "bright+", "gone"):
        assert named(name, ALL) is None


def test_promises_are_nothing_or_something():
    assert Slo().empty
    assert not Slo(ready_s=0.0).empty


def test_intents_survive_the_journal():
    kept = msgspec.json.decode(msgspec.json.encode(ALL), type=tuple[Intent, ...])
    assert kept == ALL
    assert choose(meeting(categories=("b", "w")), kept) == choose(
        meeting(categories=("b", "w")), ALL
    )


def test_each_actuator_is_prepared_its_own_time_before_the_start():
    intent = Intent(
        "default", "Meeting", (), {"light.main": 70, "climate.setpoint": 22.0},
        lead_s=120.0, leads={"climate.setpoint": 3000.0},
    )  # fmt: skip
    room = Room(replace(SETTINGS, intents=(intent,)))
    room.calendar(meeting(start=3600, categories=()))
    room.wait(599, NOBODY)
    assert (room.last("climate.setpoint"), room.last("light.main")) == (18.0, 0)
    room.wait(2, NOBODY)
    assert (room.last("climate.setpoint"), room.last("light.main")) == (22.0, 0)
    room.wait(2878, NOBODY)
    assert room.last("light.main") == 0
    room.wait(2, NOBODY)
    assert room.last("light.main") == 70


def test_a_machine_is_asked_for_with_the_lead_of_its_intent():
    room = Room(replace(SETTINGS, intents=(replace(WARM, name="default"),)))
    room.calendar(meeting(categories=()))
    machine = room.outcomes[-1].wanted.machines[0]
    assert (machine.template, machine.lead_s, machine.start) == ("demo-small", 900.0, EPOCH + 600)
