"""What intents come to in a room: what they extend, classes, and what the room overrides."""

from pathlib import Path

import pytest

from edge.config import ConfigError, load_intents, load_room
from edge.decide.intents import Slo
from tests.config.test_room import change, house

__all__ = ["house"]

BASE = """
[intent.default]
title = "Meeting"
lead_s = 100.0
vm = "demo-small"
tags = ["plain"]
[intent.default.settings]
"light.main" = 70
"climate.*" = 21.0
[intent.default.leads]
"climate.*" = 400.0
[intent.default.slo]
ready_s = 20.0
machine_ready_s = 10.0
"""


def intents(house: Path, text: str, override: str = ""):
    (house / "intents.toml").write_text(BASE + text)
    with (house / "room.toml").open("a") as file:
        file.write(override)
    room = load_room(house / "room.toml")
    return {i.name: i for i in load_intents(Path(room.intents.file), room)}


def test_what_an_intent_does_not_say_it_takes_from_what_it_extends(house):
    found = intents(house, '[intent.a]\ntitle = "A"\nextends = ["default"]\n')
    a, default = found["a"], found["default"]
    assert (a.title, a.tags, a.vm, a.lead_s) == ("A", (), "demo-small", 100.0)
    assert a.targets == default.targets == {"light.main": 70, "climate.setpoint": 21.0}
    assert a.leads == {"climate.setpoint": 400.0}
    assert a.slo == Slo(ready_s=20.0, machine_ready_s=10.0)
    assert (a.lead("light.main"), a.lead("climate.setpoint")) == (100.0, 400.0)


def test_a_layer_above_counts_even_where_the_one_below_is_more_exact(house):
    text = (
        '[intent.a]\ntitle = "A"\nextends = ["default"]\nvm = ""\n[intent.a.settings]\n'
        '"light.*" = 10\n[intent.a.slo]\nready_s = 5.0\n'
        '[intent.b]\ntitle = "B"\n[intent.b.settings]\n"light.main" = 20\n"light.*" = 30\n'
        '[intent.c]\ntitle = "C"\nextends = ["a", "b"]\n'
    )
    with pytest.raises(ConfigError, match=r"machine_ready_s = 10\.0: allowed is nothing, as"):
        intents(house, text)
    found = intents(house, text.replace('vm = ""\n', ""))
    assert found["a"].targets["light.main"] == 10
    assert found["b"].targets == {"light.main": 20}, "an actuator counts before its class"
    assert found["c"].targets == {"light.main": 20, "climate.setpoint": 21.0}
    assert found["c"].slo == Slo(ready_s=5.0, machine_ready_s=10.0)


def test_a_lead_of_its_own_also_replaces_the_single_ones_below(house):
    text = '[intent.a]\ntitle = "A"\nextends = ["default"]\nlead_s = 50.0\n'
    found = intents(house, text)
    assert (found["a"].lead_s, found["a"].leads) == (50.0, {})
    assert found["a"].all_leads == (50.0,)
    assert found["default"].all_leads == (400.0, 100.0)


def test_a_class_that_the_room_has_none_of_is_passed_by(house):
    text = '[intent.a]\ntitle = "A"\n[intent.a.settings]\n"blind.*" = 100\n"display.*" = "on"\n'
    assert intents(house, text)["a"].targets == {}


def test_what_goes_in_circles_or_excludes_itself_is_named(house):
    circle = '[intent.a]\ntitle = "A"\nextends = ["b"]\n[intent.b]\ntitle = "B"\nextends = ["a"]\n'
    with pytest.raises(ConfigError, match=r"intents\.toml:\d+: intent\.\w\.extends.*a -> b -> a"):
        intents(house, circle)
    both = (
        '[intent.a]\ntitle = "A"\nexclusive = ["b"]\n[intent.b]\ntitle = "B"\n'
        '[intent.c]\ntitle = "C"\nextends = ["a", "b"]\n'
    )
    with pytest.raises(ConfigError, match=r"intent\.c\.extends = .*not both a and b"):
        intents(house, both)


def test_a_room_says_otherwise(house):
    override = (
        '[intents.override.a]\ntitle = "Here"\nlead_s = 60.0\nextends = []\n'
        '[intents.override.a.settings]\n"light.main" = 33\n[intents.override.a.slo]\nready_s = 1\n'
    )
    found = intents(house, '[intent.a]\ntitle = "A"\nextends = ["default"]\n', override)
    a = found["a"]
    assert (a.title, a.lead_s, a.targets) == ("Here", 60.0, {"light.main": 33})
    assert a.slo == Slo(ready_s=1.0)
    assert found["default"].description == "Aurora as people expect to find it."


def test_what_a_room_overrides_goes_down_to_what_extends_it(house):
    room = house / "room.toml"
    change(room, "[intents.override.default]\n", "[intents.override.default]\nlead_s = 77.0\n")
    found = intents(house, '[intent.a]\ntitle = "A"\nextends = ["default"]\n')
    assert (found["default"].lead_s, found["a"].lead_s) == (77.0, 77.0)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("[intents.override.xyz]\n", "intents.override.xyz = .*only for declared intents: quiet"),
        ("[intents.override.live-demo]\nlead = 1\n", "live-demo.lead: unknown key; did you mean"),
        ("[intents.override.live-demo]\nlead_s = -1\n", "live-demo.lead_s = -1: allowed is"),
        ('[intents.override.live-demo]\nvm = "x"\n', "live-demo.vm = 'x': allowed is a template"),
        (
            '[intents.override.live-demo.settings]\n"light.main" = 101\n',
            r"live-demo.settings.light.main = 101: allowed is a number from 0 to 100",
        ),
        ('[intents.override.live-demo]\nextends = ["x"]\n', "extends = .*other declared intents"),
    ],
)
def test_a_mistake_in_what_a_room_overrides_names_the_rooms_own_file(house, override, said):
    with (house / "room.toml").open("a") as file:
        file.write(override)
    with pytest.raises(ConfigError, match=said) as caught:
        load_room(house / "room.toml")
    assert str(caught.value).startswith(str(house / "room.toml"))
