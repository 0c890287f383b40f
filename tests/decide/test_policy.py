"""Cedar policy: who may, which rule says so, and what survives a broken text."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from edge.contracts.commands import PRIORITIES, Proposal
from edge.decide.policy import Context, Policy, actuator_class

CONTEXT = Context(occupied=True, active=True, consent="all", trusted=True)
TEXT = """
@id("lights") permit(principal == Plugin::"lights", action == Action::"set", resource)
  when { context.class == "light" };
@id("odd") permit(principal == Plugin::"a\\"b\\\\c", action, resource == Actuator::"x\\"y\\\\z");
@id("people") permit(principal is Person, action, resource);
@id("hot") forbid(principal, action, resource) when { context.value10 > 280 };
@id("unhealthy") forbid(principal, action, resource) when { context.value10 > 285 };
@id("named") permit(principal is Schedule, action, resource) when { context.value == "True" };
permit(principal is Safety, action, resource);
"""


def ask(policy, source, value, actuator="light.main", priority=None, **context):
    kinds = {"plugin": "plugin", "person": "manual", "schedule": "schedule", "safety": "safety"}
    priority = priority or kinds[source.split(":")[0]]
    proposal = Proposal(actuator, value, 9.0, source, priority, "c")
    return policy.decide(proposal, replace(CONTEXT, **context))


@pytest.fixture(scope="module")
def policy():
    return Policy(TEXT)


def test_what_is_permitted_names_the_rule(policy):
    verdict = ask(policy, "plugin:lights", 20)
    assert (verdict.allowed, verdict.rule, verdict.reason) == (True, "lights", "")
    assert (verdict.actuator, verdict.source, verdict.value) == ("light.main", "plugin:lights", 20)
    assert verdict.stage == "policy"


def test_what_nobody_permits_is_denied(policy):
    verdict = ask(policy, "plugin:other", 20)
    assert (verdict.allowed, verdict.rule) == (False, "no permit")
    assert "no permit" in verdict.reason


def test_a_forbid_wins_and_all_that_forbid_are_named(policy):
    assert ask(policy, "person:panel", 28).allowed
    assert ask(policy, "person:panel", 28.1).rule == "hot"
    verdict = ask(policy, "person:panel", 29)
    assert (verdict.allowed, verdict.rule) == (False, "hot, unhealthy")
    assert verdict.reason == "denied by policy hot, unhealthy"


def test_a_rule_without_an_id_is_named_by_its_place(policy):
    assert ask(policy, "safety:alarm", 1).rule.startswith("policy")


def test_one_and_true_are_asked_apart_whatever_came_first(policy):
    for value, allowed in [(1, False), (True, True), (1.0, False), (True, True), (1, False)]:
        assert ask(policy, "schedule", value).allowed is allowed
        assert ask(Policy(TEXT), "schedule", value).allowed is allowed


def test_the_cache_tells_contexts_sources_and_actuators_apart():
    text = """permit(principal == Plugin::"a", action, resource == Actuator::"light.main")
      when { context.occupied && context.template == "t" };"""
    policy = Policy(text)
    for _ in range(2):
        assert ask(policy, "plugin:a", 1, template="t").allowed
        assert not ask(policy, "plugin:a", 1).allowed
        assert not ask(policy, "plugin:a", 1, template="t", occupied=False).allowed
        assert not ask(policy, "plugin:b", 1, template="t").allowed
        assert not ask(policy, "plugin:a", 1, "light.other", template="t").allowed
        assert not ask(policy, "plugin:a", 1, priority="manual", template="t").allowed


def test_the_cache_is_bounded_and_stays_right(policy):
    for value in range(4200):
        policy._known.setdefault(("filler", value), (False, "filler"))
        if len(policy._known) == 4096:
            break
    assert ask(policy, "plugin:lights", 3).allowed
    assert len(policy._known) <= 4096
    assert ask(policy, "plugin:lights", 20).allowed


@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 1e9, -1e9, 1e300, 10**19, 10**400]
)
def test_no_usable_number_is_denied_to_everybody(value, priority):
    verdict = ask(Policy("permit(principal, action, resource);"), "x", value, priority=priority)
    assert (verdict.allowed, verdict.rule) == (False, "number")
    assert len(verdict.reason) < 100


@pytest.mark.parametrize("text", ["permit(", "", "forbid nonsense;", 'permit(principal == "', "\0"])
def test_a_policy_that_cannot_be_used_leaves_schedule_and_safety(text):
    policy = Policy(text)
    assert bool(policy.broken) is bool(text)
    if not text:
        return
    for priority in PRIORITIES:
        verdict = ask(policy, "x", 20, priority=priority)
        assert verdict.allowed is (priority in ("safety", "schedule"))
        assert verdict.rule == "policy-broken"
        assert verdict.reason == policy.broken


@pytest.mark.parametrize(
    "name",
    [
        'a"b',
        "a\\b",
        'x", "y',
        '"; permit(principal,action,resource);//',
        "\\",
        '\\"',
        "é☃",
        "",
        "*",
    ],
)
def test_a_hostile_name_is_nobody_else(policy, name):
    assert not ask(policy, f"plugin:{name}", 20, f"light.{name}").allowed
    assert not ask(policy, f"plugin:lights{name}x", 20).allowed


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "\x7f", "\u202e", "a\tb"])
def test_a_name_that_cedar_cannot_read_is_denied_even_to_people(policy, name):
    assert not ask(policy, f"person:{name}", 20).allowed
    assert not ask(policy, "person:panel", 20, f"light.{name}").allowed


def test_a_name_with_quotes_and_backslashes_is_matched_exactly(policy):
    assert ask(policy, 'plugin:a"b\\c', 20, 'x"y\\z').rule == "odd"


@pytest.mark.parametrize(
    ("actuator", "expected"),
    [("light.main", "light"), ("vm/a.b", "vm"), ("light", "light"), ("", ""), ("/x", "")],
)
def test_the_class_of_an_actuator_is_its_first_word(actuator, expected):
    assert actuator_class(actuator) == expected


SHIPPED = Policy(Path("config/policies/room.cedar").read_text())
VM = "vm/7f0a4f3e"


@pytest.mark.parametrize(
    ("source", "actuator", "value", "context", "rule", "allowed"),
    [
        ("plugin:lights", "light.main", 40, {}, "lights-plugin-sets-light", True),
        ("plugin:lights", "climate.setpoint", 21, {}, "no permit", False),
        ("plugin:lights", VM, "demo-small", {"template": "demo-small"}, "no permit", False),
        ("plugin:climate", "climate.setpoint", 21.0, {}, "climate-plugin-sets-climate", True),
        ("plugin:climate", "climate.setpoint", 28.0, {}, "climate-plugin-sets-climate", True),
        ("plugin:climate", "climate.setpoint", 28.1, {}, "life-temperature", False),
        ("plugin:climate", "light.main", 40, {}, "no permit", False),
        ("plugin:unknown", "light.main", 40, {}, "no permit", False),
        ("person:panel", "climate.setpoint", 15.0, {}, "people-set-the-room", True),
        ("person:panel", "climate.setpoint", 14.9, {}, "life-temperature", False),
        ("person:panel", "climate.setpoint", "", {}, "life-temperature", False),
        ("person:panel", "light.main", 0, {}, "people-set-the-room", True),
        ("person:panel", VM, "demo-small", {"template": "demo-small"}, "no permit", False),
        ("person:lights", "light.main", 1, {}, "people-set-the-room", True),
        ("schedule", "light.main", 0, {"occupied": False}, "schedule-sets-everything", True),
        ("schedule", "light.main", 0, {}, "never-dark-on-people", False),
        ("schedule", "light.main", False, {}, "never-dark-on-people", False),
        ("plugin:lights", "light.main", 0.04, {}, "never-dark-on-people", False),
        ("plugin:lights", "light.main", "OFF", {}, "never-dark-on-people", False),
        (
            "schedule",
            VM,
            "demo-small",
            {"template": "demo-small"},
            "schedule-sets-everything",
            True,
        ),
        ("schedule", VM, "huge", {"template": "demo-small"}, "machine-only-as-declared", False),
        ("schedule", VM, "", {"template": ""}, "machine-only-as-declared", False),
        ("safety:frost", "climate.setpoint", 16.0, {}, "safety-sets-everything", True),
        ("safety:fire", "light.main", 0, {}, "safety-sets-everything", True),
    ],
)
def test_the_shipped_policy(source, actuator, value, context, rule, allowed):
    assert SHIPPED.broken == ""
    verdict = ask(SHIPPED, source, value, actuator, **context)
    assert (verdict.rule, verdict.allowed) == (rule, allowed)
