"""Cedar policy: who may, which rule says so, and what survives a broken text."""

import math

import pytest
from msgspec import structs

from edge.contracts.commands import PRIORITIES, Proposal
from edge.decide.policy import Context, Policy, actuator_class

VM = "vm/7f0a4f3e"
CONTEXT = Context(occupied=True, active=True, consent="all", trusted=True)
TEXT = """
@id("lights") permit(principal == Plugin::"lights", action == Action::"set", resource)
  when { context.class == "light" };
@id("odd") permit(principal == Plugin::"a\\"b\\\\c", action, resource == Actuator::"x\\"y\\\\z");
@id("people") permit(principal is Person, action, resource);
@id("hot") forbid(principal, action, resource) when { context.value10 > 280 };
@id("unhealthy") forbid(principal, action, resource) when { context.value10 > 285 };
@id("named") permit(principal is Schedule, action, resource) when { context.value == "True" };
@id("safe") permit(principal is Safety, action, resource);
"""


def ask(policy, source, value, actuator="light.main", priority=None, **context):
    kinds = {"plugin": "plugin", "person": "manual", "schedule": "schedule", "safety": "safety"}
    priority = priority or kinds[source.split(":")[0]]
    proposal = Proposal(actuator, value, 9.0, source, priority, "c")
    return policy.decide(proposal, structs.replace(CONTEXT, **context))


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("permit(principal, action, resource);", "policy 1 of the file (permit) has no name"),
        (
            '@id("a") permit(principal, action, resource);'
            '@id("") forbid(principal, action, resource);',
            "policy 2 of the file (forbid) has no name",
        ),
        ("@id permit(principal, action, resource);", "has no name: write @id"),
        (
            '@id("a") permit(principal, action, resource);' * 2,
            '@id("a") is the name of another one',
        ),
        ('@id("a") permit(principal == ?principal, action, resource);', "a template"),
    ],
)
def test_a_policy_without_a_name_of_its_own_is_as_good_as_broken(text, said):
    policy = Policy(text)
    assert said in policy.broken
    assert not ask(policy, "plugin:lights", 20).allowed
    assert ask(policy, "schedule", 20).allowed


def test_a_rule_that_cannot_be_evaluated_forbids_and_schedule_and_safety_survive_it():
    text = """@id("all") permit(principal, action, resource);
      @id("typo") forbid(principal, action, resource) when { context.nothing > 1 };"""
    for source, allowed in [
        ("plugin:lights", False), ("person:panel", False), ("schedule", True), ("safety:x", True),
    ]:  # fmt: skip
        verdict = ask(Policy(text), source, 20)
        assert verdict.allowed is allowed
        assert verdict.rule == ("all" if allowed else "policy-error")
    only = '@id("typo") permit(principal, action, resource) when { context.nothing };'
    assert ask(Policy(only), "schedule", 20).rule == "policy-error"
    assert not ask(Policy(only), "schedule", 20).allowed


def test_everything_the_context_says_reaches_the_policy_and_the_cache():
    for name, value in [
        ("occupied", False), ("active", False), ("consent", "off"), ("trusted", False),
        ("template", "t"), ("cost_cents", 7), ("weekday", 5), ("minute", 61), ("co2", 900),
        ("by_hand", "on"),
    ]:  # fmt: skip
        shown = f'"{value}"' if isinstance(value, str) else str(value).lower()
        rule = f"context.{name} == {shown}"
        policy = Policy(f'@id("a") permit(principal, action, resource) when {{ {rule} }};')
        for _ in range(2):
            assert ask(policy, "plugin:x", 1, **{name: value}).allowed, name
            assert not ask(policy, "plugin:x", 1).allowed, name


def test_what_a_policy_does_not_look_at_is_asked_once():
    policy = Policy('@id("a") permit(principal, action, resource) when { context.occupied };')
    for minute in range(50):
        assert ask(policy, "plugin:x", 1, minute=minute).allowed
    assert len(policy._known) == 1
    whole = Policy(
        '@id("a") permit(principal, action, resource) when { {"c": context}.c.occupied };'
    )
    for minute in range(5):
        assert ask(whole, "plugin:x", 1, minute=minute).allowed
    assert len(whole._known) == 5


def test_a_model_is_no_plugin_and_a_machine_is_requested_not_set():
    text = """@id("m") permit(principal == Model::"x", action == Action::"set", resource);
      @id("r") permit(principal is Schedule, action == Action::"request_machine", resource);"""
    policy = Policy(text)
    assert ask(policy, "model:x", 1, priority="plugin").rule == "m"
    assert not ask(policy, "plugin:x", 1).allowed
    assert ask(policy, "schedule", "t", VM).rule == "r"
    assert not ask(policy, "schedule", 1).allowed


def test_what_may_happen_to_the_room_is_asked_by_its_action():
    text = """@id("e") permit(principal == Person::"panel", action == Action::"end_meeting",
      resource == Room::"aurora") when { context.active };"""
    policy = Policy(text)
    for _ in range(2):
        verdict = policy.may("manual", "person:panel", "end_meeting", "aurora", CONTEXT)
        assert (verdict.allowed, verdict.rule, verdict.actuator) == (True, "e", "room/aurora")
        idle = structs.replace(CONTEXT, active=False)
        assert not policy.may("manual", "person:panel", "end_meeting", "aurora", idle).allowed
        assert not policy.may("manual", "person:panel", "release_room", "aurora", CONTEXT).allowed
        assert not policy.may("manual", "person:panel", "end_meeting", "other", CONTEXT).allowed
        denied = policy.may("plugin", "plugin:panel", "end_meeting", "aurora", CONTEXT)
        assert denied.reason == "denied by policy no permit"
    broken = Policy("permit(")
    assert broken.may("schedule", "schedule", "end_meeting", "aurora", CONTEXT).allowed
    assert not broken.may("manual", "person:panel", "end_meeting", "aurora", CONTEXT).allowed


def test_one_and_true_are_asked_apart_whatever_came_first(policy):
    for value, allowed in [(1, False), (True, True), (1.0, False), (True, True), (1, False)]:
        assert ask(policy, "schedule", value).allowed is allowed
        assert ask(Policy(TEXT), "schedule", value).allowed is allowed


def test_the_cache_tells_contexts_sources_and_actuators_apart():
    text = """@id("a") permit(principal == Plugin::"a", action, resource == Actuator::"light.main")
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
    text = '@id("all") permit(principal, action, resource);'
    verdict = ask(Policy(text), "x", value, priority=priority)
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


def test_a_broken_policy_leaves_no_usable_number_to_the_gate():
    for priority in PRIORITIES:
        verdict = ask(Policy("permit("), "x", math.nan, priority=priority)
        assert verdict.allowed is (priority in ("safety", "schedule"))
        assert verdict.rule == "policy-broken"


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
def test_a_name_with_what_cannot_be_printed_is_itself_and_nobody_else(policy, name):
    assert not ask(policy, f"plugin:lights{name}", 20).allowed
    assert not ask(policy, f"plugin:{name}lights", 20).allowed
    own = Policy(
        '@id("o") permit(principal == Plugin::"a\\nb", action, resource == Actuator::"x\\ny");'
    )
    assert ask(own, "plugin:a\nb", 20, "x\ny").rule == "o"
    assert not ask(own, f"plugin:{name}b", 20, "x\ny").allowed


def test_a_name_with_quotes_and_backslashes_is_matched_exactly(policy):
    assert ask(policy, 'plugin:a"b\\c', 20, 'x"y\\z').rule == "odd"


@pytest.mark.parametrize(
    ("actuator", "expected"),
    [("light.main", "light"), ("vm/a.b", "vm"), ("light", "light"), ("", ""), ("/x", "")],
)
def test_the_class_of_an_actuator_is_its_first_word(actuator, expected):
    assert actuator_class(actuator) == expected
