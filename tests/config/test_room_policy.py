"""The shipped policy against its schema and its table; nothing gets a forbidden command through."""

import json
import re
from pathlib import Path

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.actuators.gate import Gate
from edge.commands.policy import misfits
from edge.commands.policy_table import run
from edge.contracts.base import Now
from edge.contracts.commands import PRIORITIES, Proposal
from edge.contracts.gating import GateRule
from edge.decide.arbiter import hold
from edge.decide.award import Bench, award
from edge.decide.policy import Context, Policy, actuator_class
from edge.decide.policy_text import parse

HERE = Path(__file__).parents[2] / "config/policies"
TEXT = (HERE / "room.cedar").read_text()
SCHEMA = (HERE / "room.cedarschema").read_text()
TABLE = HERE / "room.cases.toml"
NAMES = tuple(parse(TEXT).effects)


def without(name: str) -> str:
    """Return the policy's text without one of its policies."""
    text, count = re.subn(rf'@id\("{name}"\)\n.*?;\n', "", TEXT, flags=re.DOTALL)
    assert count == 1
    return text


def test_the_shipped_policy_fits_its_schema_and_every_case_comes_out_as_expected():
    assert list(misfits(TEXT, SCHEMA)) == []
    report = run(TEXT, TABLE)
    assert report.wrong == ()
    assert report.unused == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_that_is_taken_away_is_missed_by_the_table(name, tmp_path):
    table = tmp_path / "cases.toml"
    # Cases name it no longer; what they expect to happen stays.
    table.write_text(re.sub(rf'"{name}"(, )?', "", TABLE.read_text()))
    assert run(without(name), table).wrong != ()


def comparisons(tree):
    """Yield every whole number that a policy compares with, as (dict that holds it)."""
    if isinstance(tree, list):
        for item in tree:
            yield from comparisons(item)
    elif isinstance(tree, dict):
        if type(tree.get("Value")) is int:
            yield tree
        for body in tree.values():
            yield from comparisons(body)


def test_a_limit_that_is_moved_by_a_little_is_noticed_by_the_table(tmp_path):
    tree = json.loads(cedarpy.policies_to_json_str(TEXT))
    numbers = list(comparisons(tree))
    assert len(numbers) >= 5
    for found in numbers:
        little = 50 if found["Value"] >= 1000 else 10
        for change in (-little, little):
            found["Value"] += change
            moved = cedarpy.policies_from_json_str(json.dumps(tree))
            assert run(moved, TABLE).wrong != (), f"{found['Value']}"
            found["Value"] -= change


def test_only_what_is_listed_is_ever_permitted():
    policy = Policy(TEXT)
    context = Context(False, False, "all", True)
    for priority in PRIORITIES:
        assert not policy.may(priority, "x", "erase", "aurora", context).allowed


# ---- whatever is proposed ------------------------------------------------------------------

ACTUATORS = (
    "light.main", "light.board", "climate.setpoint", "ventilation.level", "blind.west",
    "camera.preset", "camera.shutter", "microphone.gain", "microphone.mute", "display.power",
    "display.input", "vm/one", "door.lock",
)  # fmt: skip
SOURCES = {
    "plugin": ("plugin:lights", "plugin:climate", "plugin:microphone", "plugin:camera",
               "plugin:display", "plugin:x", "model:occupancy"),
    "manual": ("person:panel", "person:device"),
    "schedule": ("schedule",),
    "safety": ("safety:fire",),
}  # fmt: skip
values = st.one_of(
    st.integers(-50, 150), st.floats(), st.booleans(),
    st.sampled_from(["on", "off", "open", "closed", "OFF", "home", "", "demo-small"]),
)  # fmt: skip
proposals = st.sampled_from(PRIORITIES).flatmap(
    lambda priority: st.builds(
        Proposal, st.sampled_from(ACTUATORS), values, st.just(100.0),
        st.sampled_from(SOURCES[priority]), st.just(priority), st.just("c"),
    )
)  # fmt: skip
contexts = st.builds(
    Context, st.booleans(), st.booleans(), st.sampled_from(["all", "counts", "off"]),
    st.booleans(), template=st.sampled_from(["", "demo-small"]),
    cost_cents=st.sampled_from([0, 500, 501]), co2=st.sampled_from([0, 1150, 1200, 4000]),
    by_hand=st.sampled_from(["", "on", "off", "closed", "open"]),
)  # fmt: skip
SHIPPED = Policy(TEXT)
ANYTHING = Gate([GateRule(a, -1e6, 1e6, rate_per_min=600) for a in ACTUATORS])
NAMED = Gate(
    [
        GateRule(a, values=("on", "off", "open", "closed", "OFF", "home", "demo-small"))
        for a in ACTUATORS
    ]
)


def harm(command, context):
    """Return what is wrong with a command, told without Cedar; "" when nothing is."""
    kind, value = actuator_class(command.actuator), command.value
    number = not isinstance(value, bool | str)
    sure = command.priority in ("manual", "safety")
    person = command.priority == "manual"
    here = context.occupied or context.active
    checks = {
        "temperature": kind == "climate" and not (number and 14.94 < value < 28.06),
        "dark": kind == "light" and context.occupied and not sure
        and (value in (False, "OFF", "") or (number and abs(value) < 0.04)),
        "air": kind == "ventilation" and context.occupied and not sure
        and context.co2 >= 1200 and (not number or value < 19.9),
        "unmuted": command.actuator == "microphone.mute" and not person and value != "on"
        and (context.consent != "all" or (context.by_hand == "on" and here)),
        "opened": command.actuator == "camera.shutter" and not person and value != "closed"
        and (context.consent == "off" or (context.by_hand == "closed" and here)),
        "display": command.actuator == "display.power" and not sure and value != "on"
        and context.active and context.occupied,
        "machine": kind == "vm" and (value != context.template or context.cost_cents > 500
        or command.priority != "schedule"),
        "nobody": kind == "door" and command.priority == "plugin",
        "model": command.source.startswith("model:"),
    }  # fmt: skip
    return ", ".join(name for name, wrong in checks.items() if wrong)


@settings(max_examples=300)
@given(st.lists(proposals, max_size=12), contexts, st.sampled_from([ANYTHING, NAMED]))
def test_no_set_of_proposals_gets_a_forbidden_command_through(wishes, context, gate):
    bench = Bench(SHIPPED, gate, lambda _: context, lambda p: p.until)
    result = award(hold({}, wishes), {}, {}, {}, bench, "i", Now(0.0, 0.0))
    for command in result.commands:
        assert harm(command, context) == "", (command, context)
    for verdict in result.verdicts:
        assert verdict.allowed or verdict.rule
