"""The fallback table: every mode with its cause, who acts in it, and that it is left by itself."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from edge.contracts.base import Now
from edge.contracts.commands import PRIORITIES, PluginCommand, Proposal
from edge.contracts.signals import (
    ClockChecked,
    OccupancyEstimated,
    OperatorAsked,
    PeopleCounted,
    PluginAnswered,
    PluginFailed,
    SoundMeasured,
    SourceChanged,
    Woke,
)
from edge.decide.arbiter import hold
from edge.decide.modes import BY_NAME, MODES, View, acting, active, standing
from edge.decide.pause import Pause
from edge.decide.policy import Policy
from edge.fusion.state import Presence, Reading, RoomState, SourceState
from tests.world.room import EPOCH, SETTINGS, Room, meeting

NAMES = tuple(mode.name for mode in MODES)
PLUGIN = "plugin:lights"
SEEN = PeopleCounted("camera", 2)
FELT = OccupancyEstimated("occupancy", 0.5, "m")


def dim(value, lease=3600.0):
    return PluginAnswered(PLUGIN, ("e",), (PluginCommand("e", "light.main", value, lease),))


def lost(source):
    return SourceChanged(source, "lost", "why")


def well(source):
    return SourceChanged(source, "ok")


def broken(room):
    room.core = replace(room.core, policy=Policy("permit("))
    room.say(Woke())


def mended(room):
    room.core = replace(room.core, policy=Policy(SETTINGS.policy))
    room.say(Woke())


def silent(room):
    room.say(SoundMeasured("microphone", -40.0, 0.0))
    room.wait(59, [SEEN])
    assert "models" not in room.state.modes
    room.wait(2, [SEEN])


def blinded(room):
    room.say(SEEN)
    room.wait(11)


TABLE = {
    # mode: (its cause comes, its cause goes)
    "journal": (lambda r: r.say(lost("journal")), lambda r: r.say(well("journal"))),
    "policy": (broken, mended),
    "clock": (
        lambda r: r.say(ClockChecked("clock", False)), lambda r: r.say(ClockChecked("clock", True)),
    ),
    "paused": (
        lambda r: r.say(OperatorAsked("panel", "pause")),
        lambda r: r.say(OperatorAsked("panel", "resume")),
    ),
    "plugin": (
        lambda r: r.say(PluginFailed("plugin:climate", ("e",), "trap", True)),
        lambda r: r.say(PluginAnswered("plugin:climate", ("e",))),
    ),
    "blind": (blinded, lambda r: r.say(SEEN)),
    "models": (silent, lambda r: r.say(SoundMeasured("microphone", -40.0, 0.0))),
    "calendar": (lambda r: r.say(lost("calendar")), lambda r: r.say(well("calendar"))),
    "devices": (lambda r: r.say(lost("broker:room")), lambda r: r.say(well("broker:room"))),
    "service": (lambda r: r.say(lost("broker:site")), lambda r: r.say(well("broker:site"))),
}  # fmt: skip

ACTS = {
    # mode: safety, manual, plugin, schedule
    "journal": "yes no no yes", "policy": "yes no no yes", "clock": "yes yes yes yes",
    "paused": "yes yes no no", "plugin": "yes yes yes yes", "blind": "yes yes yes yes",
    "models": "yes yes yes yes", "calendar": "yes yes yes yes", "devices": "yes yes yes yes",
    "service": "yes yes yes yes",
}  # fmt: skip


def test_the_table_names_every_mode():
    assert set(TABLE) == set(ACTS) == set(NAMES) == set(BY_NAME)
    for mode in MODES:
        assert mode.cause
        assert mode.behaviour


def test_one_look_says_what_all_looks_say():
    """Every cause with and without every other, each sense heard just now, long ago and never."""
    rules = SETTINGS.fusion
    flags = itertools.product((False, True), repeat=6)
    senses = tuple(itertools.product((None, 0.0, 100.0), repeat=3))
    seen = set()
    for trusted, known, paused, broken_, shut_out, moving in flags:
        for (people, voice, estimate), gone in itertools.product(
            senses, ((), ("camera",), ("journal",))
        ):
            room = RoomState(
                presence=Presence(known=known),
                people=None if people is None else Reading(1, "camera", people),
                voice=None if voice is None else Reading(0.1, "microphone", voice),
                estimate=None if estimate is None else Reading(0.5, "occupancy", estimate),
                motion={"a": Reading(1.0, "a", 100.0)} if moving else {},
                sources={name: SourceState("lost", "", 0.0) for name in gone},
                clock_trusted=trusted,
            )
            view = View(
                room, rules, Pause(1e9, 1e9, "panel", "p") if paused else None,
                "broken" if broken_ else "", {"plugin:x": "why"} if shut_out else {},
                frozenset(gone), Now(EPOCH, 100.0),
            )  # fmt: skip
            expected = tuple(mode.name for mode in MODES if mode.here(view))
            assert active(view) == expected
            seen.add(expected)
    assert () in seen
    assert {name for names in seen for name in names} >= set(NAMES) - {
        "calendar", "devices", "service"
    }  # fmt: skip


@pytest.mark.parametrize("mode", NAMES)
def test_a_mode_comes_with_its_cause_is_said_and_goes_with_it(mode):
    comes, goes = TABLE[mode]
    room = Room()
    assert room.state.modes == ()
    comes(room)
    assert room.state.modes == (mode,)
    goes(room)
    assert room.state.modes == ()
    notes = [note for d in room.decisions() for note in d.notes]
    assert f"mode {mode}: {BY_NAME[mode].behaviour}" in notes
    assert f"mode {mode} is over" in notes


@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize("mode", NAMES)
def test_who_acts_in_a_mode(mode, priority):
    room = Room()
    TABLE[mode][0](room)
    room.outcomes.clear()
    if priority == "plugin":
        room.say(dim(33.0))
    elif priority == "manual":
        room.say(OperatorAsked("panel", "set", actuator="light.main", value=33))
    elif priority == "safety":
        fire = Proposal("light.main", 33, 1e9, "safety:fire", "safety", "c")
        room.state = structs.replace(room.state, holdings=hold(room.state.holdings, [fire]))
        room.say(Woke())
    else:
        room.core = replace(room.core, settings=replace(SETTINGS, fallbacks={"light.main": 33}))
        room.say(Woke())
    acts = dict(zip(PRIORITIES, ACTS[mode].split(), strict=True))[priority]
    assert (room.last("light.main") == 33) is (acts == "yes")
    assert (priority in BY_NAME[mode].acts) is (acts == "yes")


@pytest.mark.parametrize(("one", "two"), list(itertools.combinations(NAMES, 2)))
def test_two_modes_at_once_let_act_who_acts_in_both(one, two):
    assert set(acting((one, two))) == set(BY_NAME[one].acts) & set(BY_NAME[two].acts)
    room = Room()
    TABLE[one][0](room)
    TABLE[two][0](room)
    seen = set(room.state.modes)
    assert two in seen or (one, two) == ("blind", "models")
    # A room that sees nothing at all is not told of each sense that it lacks.
    assert one in seen or (one, two) == ("blind", "models") or "models" not in seen


def test_no_mode_lets_everybody_act_and_no_mode_shuts_safety_out():
    assert acting(()) == PRIORITIES
    for count in range(len(NAMES) + 1):
        for chosen in itertools.combinations(NAMES, count):
            assert "safety" in acting(chosen)


def test_machines_of_meetings_are_wanted_in_every_mode():
    machine = Proposal("vm/1", "small", 1e9, "schedule", "schedule", "c")
    wish = Proposal("vm/2", "small", 1e9, PLUGIN, "plugin", "c")
    held = hold({}, [machine, wish])
    for mode in NAMES:
        assert "vm/1|schedule" in standing(held, (mode,))
        assert (f"vm/2|{PLUGIN}" in standing(held, (mode,))) is ("plugin" in BY_NAME[mode].acts)


def test_a_quarantined_plugin_loses_its_leases_and_the_schedule_takes_over():
    room = Room()
    room.calendar(meeting(start=60))
    room.wait(70)
    room.say(dim(40.0))
    assert room.last("light.main") == 40.0
    room.say(PluginFailed(PLUGIN, ("e",), "trap", False))
    assert room.last("light.main") == 40.0
    room.say(PluginFailed(PLUGIN, ("e",), "trap", True))
    assert room.last("light.main") == 80
    assert room.state.quarantined == {PLUGIN: "trap"}
    room.say(dim(45.0))
    assert room.last("light.main") == 45.0


def test_a_plugin_refused_at_the_start_is_the_same_mode():
    room = Room()
    room.say(lost("plugin:camera"))
    assert room.state.modes == ("plugin",)


def test_a_room_without_sensors_is_not_blind_and_consent_is_no_fault():
    room = Room()
    room.wait(300)
    assert room.state.modes == ()
    room.say(PeopleCounted("camera", 2))
    room.say(OperatorAsked("panel", "consent", value="off"))
    room.wait(60)
    assert room.state.modes == ()


@pytest.mark.parametrize("sense", ["camera", "microphone", "occupancy"])
def test_a_lost_sense_is_a_mode_though_it_never_spoke(sense):
    room = Room()
    room.say(lost(sense))
    assert room.state.modes == ("models",)
    room.say(SourceChanged(sense, "degraded", "switched off: no consent"))
    assert room.state.modes == ()


@pytest.mark.parametrize(("signal", "stale"), [(SEEN, 30), (FELT, 90)])
def test_what_fell_silent_is_a_mode_while_another_speaks(signal, stale):
    room = Room()
    room.say(signal)
    room.wait(stale + 1, [SoundMeasured("microphone", -40.0, 0.9)])
    assert room.state.modes == ("models",)


def test_a_restart_frees_a_plugin_that_was_shut_out():
    room = Room()
    room.say(PluginFailed(PLUGIN, ("e",), "trap", True))
    again = Room(state=room.state, wall=room.wall + 5, mono=5.0)
    assert again.state.quarantined == {}
    assert again.state.modes == ()


def test_the_architecture_shows_the_table_as_it_is():
    text = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text()
    for mode in MODES:
        acts = "all" if mode.acts == PRIORITIES else ", ".join(mode.acts)
        assert f"| `{mode.name}` | {mode.cause} | {mode.behaviour} | {acts} |" in text
