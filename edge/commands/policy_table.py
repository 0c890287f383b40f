"""A table of policy cases: who asks for what in which room, what is expected, what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from edge.contracts.base import StrictMessage, Value
from edge.contracts.commands import Priority, Proposal
from edge.decide.policy import MODEL, Context, Policy
from edge.decide.policy_text import parse
from edge.process.toml import Document, read

Expected = Literal["permit", "deny"]
PRIORITY: Mapping[str, Priority] = {
    "plugin": "plugin",
    "model": "plugin",
    "person": "manual",
    "schedule": "schedule",
    "safety": "safety",
}


class Facts(StrictMessage, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a case says of the room; the rest is as in the table's own [context]."""

    occupied: bool | msgspec.UnsetType = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET
    consent: Literal["all", "counts", "off"] | msgspec.UnsetType = msgspec.UNSET
    trusted: bool | msgspec.UnsetType = msgspec.UNSET
    template: str | msgspec.UnsetType = msgspec.UNSET
    cost_cents: int | msgspec.UnsetType = msgspec.UNSET
    weekday: int | msgspec.UnsetType = msgspec.UNSET
    minute: int | msgspec.UnsetType = msgspec.UNSET
    co2: int | msgspec.UnsetType = msgspec.UNSET
    by_hand: str | msgspec.UnsetType = msgspec.UNSET


class CaseRow(StrictMessage, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One case. who: plugin:NAME, person:NAME, model:NAME, schedule or safety:NAME.

    Either actuator and value, or an action on the room. by: the policies that decide; empty when
    it is denied because nothing permits it.
    """

    who: str
    expect: Expected
    by: tuple[str, ...] = ()
    actuator: str = ""
    value: Value = ""
    action: Literal["", "end_meeting", "release_room", "ask_machine", "connect_machine"] = ""
    context: Facts = Facts()
    why: str = ""


class TableFile(StrictMessage, frozen=True, forbid_unknown_fields=True):
    """The whole file: the room all cases begin from, and the cases."""

    case: tuple[CaseRow, ...]
    context: Facts = Facts()


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case. line: in the file, 0 when unknown."""

    case: CaseRow
    allowed: bool
    by: tuple[str, ...]
    line: int

    @property
    def right(self) -> bool:
        """Whether it came out as expected, by the policies that were expected."""
        return self.allowed == (self.case.expect == "permit") and self.by == _order(self.case.by)


@dataclass(frozen=True, slots=True)
class Report:
    """results in the file's order; unused: policies that decided no case, in the policy's order."""

    results: tuple[Result, ...]
    unused: tuple[str, ...]

    @property
    def wrong(self) -> tuple[Result, ...]:
        """The cases that came out otherwise."""
        return tuple(result for result in self.results if not result.right)


def run(text: str, path: Path) -> Report:
    """Return what a policy's text makes of the cases in `path`.

    ConfigError for a table, PolicyError for a policy that cannot be used.
    """
    document = read(path)
    table = document.convert(TableFile)
    known = tuple(parse(text).effects)
    policy = Policy(text)
    lines = _lines(document)
    results = []
    for number, case in enumerate(table.case):
        for key, allowed in _mistakes(case, known):
            raise document.wrong(("case", number, key), allowed)
        verdict = _ask(policy, case, _context(table.context, case.context))
        by = () if verdict[1] == "no permit" else _order(verdict[1].split(", "))
        results.append(Result(case, verdict[0], by, lines[number] if number < len(lines) else 0))
    decided = {rule for result in results for rule in result.by}
    return Report(tuple(results), tuple(rule for rule in known if rule not in decided))


def _ask(policy: Policy, case: CaseRow, context: Context) -> tuple[bool, str]:
    kind = case.who.partition(":")[0]
    if case.action:
        verdict = policy.may(PRIORITY[kind], case.who, case.action, "room", context)
    else:
        wish = Proposal(case.actuator, case.value, 0.0, case.who, PRIORITY[kind], "case")
        verdict = policy.decide(wish, context)
    return verdict.allowed, verdict.rule


def _mistakes(case: CaseRow, known: Sequence[str]) -> list[tuple[str, str]]:
    found = []
    kind, _, name = case.who.partition(":")
    if kind not in PRIORITY or not (name or kind == "schedule"):
        found.append(("who", f"plugin:, person:, {MODEL}, safety: and a name, or schedule"))
    if bool(case.actuator) == bool(case.action):
        found.append(("actuator" if case.actuator else "action", "either an actuator or an action"))
    if any(rule not in known for rule in case.by):
        found.append(("by", f"policies of the file: {', '.join(known)}"))
    return found


def _context(common: Facts, own: Facts) -> Context:
    plain = {"occupied": False, "active": False, "consent": "all", "trusted": True}
    said = {
        name: value
        for facts in (common, own)
        for name, value in msgspec.structs.asdict(facts).items()
        if value is not msgspec.UNSET
    }
    return Context(**{**plain, **said})


def _order(rules: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(rules))


def _lines(document: Document) -> list[int]:
    """Return the line of each [[case]]."""
    rows = enumerate(document.text.splitlines(), 1)
    return [number for number, line in rows if line.strip().startswith("[[case]]")]
