"""The shipped policy: who may set what, asked of Cedar itself."""

from pathlib import Path

import cedarpy
import pytest

TEXT = (Path(__file__).parents[2] / "config/policies/room.cedar").read_text()
QUIET = {"occupied": False, "active": False, "consent": "all", "trusted": True, "template": ""}


def ask(principal, actuator, value, **context):
    """Return (allowed, ids of the policies that decided)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    request = {
        "principal": principal,
        "action": 'Action::"set"',
        "resource": f'Actuator::"{actuator}"',
        "context": {
            **QUIET,
            "class": actuator.replace("/", ".").split(".")[0],
            "value": "" if number else str(value),
            "value10": round(value * 10) if number else 0,
            **context,
        },
    }
    result = cedarpy.is_authorized(request, TEXT, "[]")
    assert not result.diagnostics.errors
    names = result.diagnostics.id_annotations_by_reason
    return result.allowed, sorted(names[reason] for reason in result.diagnostics.reasons)


LIGHTS, CLIMATE = 'Plugin::"lights"', 'Plugin::"climate"'
SCHEDULE, SAFETY, PERSON = 'Schedule::"schedule"', 'Safety::"safety"', 'Person::"panel"'
HERE = {"occupied": True}
DEMO = {"template": "demo-small"}

CASES = [
    (LIGHTS, "light.main", 60, {}, True, "lights-plugin-sets-light"),
    (LIGHTS, "light.main", 0, {}, True, "lights-plugin-sets-light"),
    (LIGHTS, "light.main", 0, HERE, False, "never-dark-on-people"),
    (LIGHTS, "light.main", False, HERE, False, "never-dark-on-people"),
    (LIGHTS, "light.main", "evening", HERE, True, "lights-plugin-sets-light"),
    (LIGHTS, "climate.setpoint", 21.0, {}, False, None),
    (LIGHTS, "vm/one", "demo-small", DEMO, False, None),
    (CLIMATE, "climate.setpoint", 21.5, {}, True, "climate-plugin-sets-climate"),
    (CLIMATE, "climate.setpoint", 15.0, {}, True, "climate-plugin-sets-climate"),
    (CLIMATE, "climate.setpoint", 28.0, {}, True, "climate-plugin-sets-climate"),
    (CLIMATE, "climate.setpoint", 14.9, {}, False, "life-temperature"),
    (CLIMATE, "climate.setpoint", 28.1, {}, False, "life-temperature"),
    (CLIMATE, "light.main", 50, {}, False, None),
    ('Plugin::"stranger"', "light.main", 50, {}, False, None),
    ('Model::"occupancy"', "light.main", 50, {}, False, None),
    (SCHEDULE, "light.main", 0, HERE, False, "never-dark-on-people"),
    (SCHEDULE, "light.main", 0, {}, True, "schedule-sets-everything"),
    (SCHEDULE, "climate.setpoint", 31.0, {}, False, "life-temperature"),
    (SCHEDULE, "vm/one", "demo-small", DEMO, True, "schedule-sets-everything"),
    (SCHEDULE, "vm/one", "demo-large", DEMO, False, "machine-only-as-declared"),
    (SCHEDULE, "vm/one", "demo-small", {}, False, "machine-only-as-declared"),
    (SCHEDULE, "vm/one", "", {}, False, "machine-only-as-declared"),
    (PERSON, "light.main", 0, HERE, True, "people-set-the-room"),
    (PERSON, "climate.setpoint", 24.0, {}, True, "people-set-the-room"),
    (PERSON, "climate.setpoint", 30.0, {}, False, "life-temperature"),
    (PERSON, "vm/one", "demo-small", DEMO, False, None),
    (SAFETY, "light.main", 100, HERE, True, "safety-sets-everything"),
    (SAFETY, "light.main", 0, HERE, True, "safety-sets-everything"),
    (SAFETY, "climate.setpoint", 5.0, {}, False, "life-temperature"),
]


@pytest.mark.parametrize(("who", "what", "value", "context", "allowed", "rule"), CASES)
def test_the_table_of_cases(who, what, value, context, allowed, rule):
    assert ask(who, what, value, **context) == (allowed, [] if rule is None else [rule])


def test_only_setting_is_ever_permitted():
    request = {
        "principal": SCHEDULE,
        "action": 'Action::"erase"',
        "resource": 'Actuator::"light.main"',
        "context": {**QUIET, "class": "light", "value": "", "value10": 500},
    }
    assert not cedarpy.is_authorized(request, TEXT, "[]").allowed


def test_every_policy_has_a_name_of_its_own():
    count = sum(line.startswith(("permit", "forbid")) for line in TEXT.splitlines())
    names = [line for line in TEXT.splitlines() if line.startswith("@id(")]
    assert len(names) == len(set(names)) == count
