"""What Cedar is asked, to the letter, and what is answered from memory."""

import pytest

from edge.contracts.commands import Proposal
from edge.decide.policy import Context, Policy

ALL = '@id("all") permit(principal, action, resource);'
CONTEXT = Context(occupied=True, active=True, consent="all", trusted=True)


def ask(policy, value, source="plugin:lights", actuator="light.main", priority="plugin"):
    return policy.decide(Proposal(actuator, value, 9.0, source, priority, "c"), CONTEXT)


def may(policy, source="person:panel", action="end_meeting", who="manual"):
    return policy.may(who, source, action, "aurora", CONTEXT)


@pytest.mark.parametrize(
    ("value", "told"),
    [(10**40, f"1{'0' * 31} is no usable number"), (-1e9, "-1000000000.0 is no usable number")],
)
def test_a_number_that_is_none_is_named(value, told):
    assert ask(Policy(ALL), value).reason == told


@pytest.mark.parametrize(
    ("value", "name", "value10"),
    [(21.56, "", 216), (0, "", 0), (-3, "", -30), (True, "True", 0), ("home", "home", 0)],
)
def test_a_value_is_told_as_a_name_or_as_tenths(value, name, value10):
    text = f"""@id("x") permit(principal, action, resource)
      when {{ context.value == "{name}" && context.value10 == {value10} }};"""
    assert ask(Policy(text), value).allowed


def test_to_end_a_meeting_has_no_value():
    text = """@id("x") permit(principal, action, resource == Room::"aurora") when {
      context.class == "" && context.value == "" && context.value10 == 0 };"""
    assert may(Policy(text)).allowed


@pytest.mark.parametrize("source", ["plugin:a:b", "plugin:a:b:c"])
def test_a_name_is_what_follows_the_first_colon(source):
    name = source.removeprefix("plugin:")
    text = f'@id("x") permit(principal == Plugin::"{name}", action, resource);'
    assert ask(Policy(text), 1, source).allowed


@pytest.mark.parametrize("value", [True, 1, "on"])
def test_what_was_answered_once_is_answered_from_memory(value):
    policy = Policy(ALL)
    for asked in (lambda: ask(policy, value), lambda: may(policy)):
        assert asked().allowed
        kept = list(policy._known.values())
        assert all(isinstance(answer, tuple) for answer in kept)
        for key in policy._known:
            policy._known[key] = (False, "memory")
        assert (asked().allowed, asked().rule) == (False, "memory")
        policy._known.clear()


def test_the_verdict_on_a_meeting_says_who_what_and_why():
    policy = Policy('@id("never") forbid(principal, action, resource);')
    verdict = may(policy)
    assert (verdict.actuator, verdict.source, verdict.value) == (
        "room/aurora", "person:panel", "end_meeting",
    )  # fmt: skip
    assert (verdict.stage, verdict.allowed, verdict.rule) == ("policy", False, "never")
    assert verdict.reason == "denied by policy never"
    allowed = may(Policy('@id("all") permit(principal, action, resource);'))
    assert (allowed.allowed, allowed.rule, allowed.reason) == (True, "all", "")
    broken = may(Policy("permit("), "schedule", who="schedule")
    assert (broken.allowed, broken.rule) == (True, "policy-broken")
    assert broken.reason == Policy("permit(").broken
