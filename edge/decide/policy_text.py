"""A policy's text, read once: its policies by name, and what of the context they look at. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import cedarpy

CONTEXT = {"Var": "context"}


class PolicyError(ValueError):
    """A policy text that cannot be used; the message says what is wrong and where."""


class Everything(frozenset[str]):
    """The attributes of a policy that looks at its context as a whole: all there are."""

    def __contains__(self, _: object) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Parsed:
    """policies, entities: as Cedar takes them. ids: Cedar's own name of each policy -> its @id.

    effects: @id -> permit or forbid. attributes: what of the context any policy looks at.
    """

    policies: cedarpy.PolicySet
    entities: cedarpy.Entities
    ids: dict[str, str]
    effects: dict[str, str]
    attributes: frozenset[str]


def parse(text: str) -> Parsed:
    """Return the policies of a Cedar text; PolicyError unless each has an @id of its own."""
    try:
        policies = cedarpy.PolicySet.from_str(text)
        tree = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        raise PolicyError(str(error)) from error
    if tree["templates"]:
        raise PolicyError("a template (?principal, ?resource) stands for nobody: write it out")
    ids: dict[str, str] = {}
    effects: dict[str, str] = {}
    for name, policy in tree["staticPolicies"].items():
        ids[name] = _id(policy, int(name.removeprefix("policy")) + 1, effects)
        effects[ids[name]] = policy["effect"]
    found = set(_attributes(tree["staticPolicies"]))
    attributes = Everything() if "" in found else frozenset(found)
    return Parsed(policies, cedarpy.Entities.from_json_str("[]"), ids, effects, attributes)


def _id(policy: dict[str, object], number: int, known: dict[str, str]) -> str:
    annotations = policy.get("annotations")
    name = annotations.get("id") if isinstance(annotations, dict) else None
    which = f"policy {number} of the file ({policy['effect']})"
    if not isinstance(name, str) or not name.strip():
        raise PolicyError(f'{which} has no name: write @id("...") before it')
    if name in known:
        raise PolicyError(f'{which}: @id("{name}") is the name of another one')
    return name


def _attributes(tree: object) -> Iterator[str]:
    """Yield the attributes of the context that are looked at, "" for the context as a whole."""
    if isinstance(tree, list):
        for item in tree:
            yield from _attributes(item)
    elif tree == CONTEXT:
        yield ""
    elif isinstance(tree, dict):
        for operator, body in tree.items():
            whole = isinstance(body, dict) and body.get("left") == CONTEXT
            if whole and operator in (".", "has") and isinstance(body["attr"], str):
                yield body["attr"]
            else:
                yield from _attributes(body)
