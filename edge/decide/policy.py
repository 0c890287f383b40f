"""Cedar policy: may this principal do this now, and which rule says so. Parsed once. Pure."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter

import cedarpy

from edge.contracts.base import Frozen
from edge.contracts.commands import SURE, Priority, Proposal, Verdict
from edge.decide.policy_text import Parsed, PolicyError, parse

NUMBER_LIMIT = 1e9
"""No actuator's number reaches it; beyond, Cedar's whole numbers end."""
CACHE_LIMIT = 4096
MACHINES = "vm/"
MODEL = "model:"

_TYPES: dict[Priority, str] = {
    "safety": "Safety",
    "manual": "Person",
    "plugin": "Plugin",
    "schedule": "Schedule",
}


class Context(Frozen, frozen=True):
    """What a decision may depend on besides who, what and how much.

    template, cost_cents: the machine that the meeting's intent names, what it costs an hour.
    weekday: 0 is Monday; minute: of the room's day; both -1 while the clock is not trusted. co2:
    ppm in steps of 50, 0 when nobody measures it. by_hand: what a person last chose for this
    actuator, as long as nothing else replaced it, also after its lease; "" otherwise.
    """

    occupied: bool
    active: bool
    consent: str
    trusted: bool
    template: str = ""
    cost_cents: int = 0
    weekday: int = -1
    minute: int = -1
    co2: int = 0
    by_hand: str = ""


@dataclass(slots=True)
class Policy:
    """A parsed policy; `broken` holds the reason when it could not be parsed.

    A broken policy denies persons and plugins; schedule and safety survive it.
    """

    text: str
    broken: str = ""
    _parsed: Parsed | None = None
    _used: tuple[str, ...] = ()
    _facts: Callable[[Context], object] = lambda _: ()
    _known: dict[tuple[object, ...], tuple[bool, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            self._parsed = parse(self.text)
        except PolicyError as error:
            self.broken = str(error)
            return
        self._used = tuple(n for n in Context.__struct_fields__ if n in self._parsed.attributes)
        if self._used:
            self._facts = attrgetter(*self._used)

    def decide(self, proposal: Proposal, context: Context) -> Verdict:
        """Return what the policy says to `proposal`; the rule named is the one that decided."""
        value = proposal.value
        # Cedar has whole numbers only: tenths of the actuator's unit. 1 is a number, True a name.
        name, value10 = "", 0
        if isinstance(value, bool | str):
            name = str(value)
        elif abs(value) < NUMBER_LIMIT:
            value10 = round(value * 10)
        elif not self.broken:
            return _verdict(proposal, False, "number", f"{str(value)[:32]} is no usable number")
        who, source, actuator = proposal.priority, proposal.source, proposal.actuator
        # What Cedar is told, and nothing else: what it has answered once, it would answer again.
        key = (who, source, actuator, name, value10, self._facts(context))
        answer = self._known.get(key)
        if answer is None:
            facts = self._request(actuator_class(actuator), name, value10, context)
            action = "request_machine" if actuator.startswith(MACHINES) else "set"
            resource = {"type": "Actuator", "id": actuator}
            answer = self._remember(key, self._ask(who, source, action, resource, facts))
        allowed, rule = answer
        return _verdict(proposal, allowed, rule, self._why(allowed, rule))

    def may(self, who: Priority, source: str, action: str, room: str, context: Context) -> Verdict:
        """Return whether `source` may do `action` (such as "end_meeting") to the room."""
        key = (who, source, action, room, self._facts(context))
        answer = self._known.get(key)
        if answer is None:
            resource = {"type": "Room", "id": room}
            made = self._ask(who, source, action, resource, self._request("", "", 0, context))
            answer = self._remember(key, made)
        allowed, rule = answer
        reason = self._why(allowed, rule)
        return Verdict(f"room/{room}", source, allowed, "policy", rule, action, reason)

    def _why(self, allowed: bool, rule: str) -> str:
        return self.broken or ("" if allowed else f"denied by policy {rule}")

    def _remember(self, key: tuple[object, ...], answer: tuple[bool, str]) -> tuple[bool, str]:
        if len(self._known) >= CACHE_LIMIT:
            self._known.clear()
        self._known[key] = answer
        return answer

    def _request(self, kind: str, name: str, value10: int, context: Context) -> dict[str, object]:
        """What Cedar is told: of the context only what any policy looks at."""
        facts = {name: getattr(context, name) for name in self._used}
        return {"class": kind, "value": name, "value10": value10, **facts}

    def _ask(
        self,
        who: Priority,
        source: str,
        action: str,
        resource: dict[str, str],
        context: dict[str, object],
    ) -> tuple[bool, str]:
        if self._parsed is None:
            return who in SURE, "policy-broken"
        principal = {"type": principal_type(who, source), "id": source.split(":", 1)[-1]}
        request = {
            "principal": principal,
            "action": {"type": "Action", "id": action},
            "resource": resource,
            "context": json.dumps(context),
        }
        result = cedarpy.is_authorized(request, self._parsed.policies, self._parsed.entities)
        diagnostics = result.diagnostics
        reasons = ", ".join(sorted(self._parsed.ids[rule] for rule in diagnostics.reasons))
        if result.allowed and diagnostics.errors and who not in SURE:
            # Cedar passes by a forbid that it cannot evaluate: here it forbids.
            return False, "policy-error"
        return result.allowed, reasons or ("policy-error" if diagnostics.errors else "no permit")


def principal_type(who: Priority, source: str) -> str:
    """Return the Cedar type of whoever asks: a model speaks with a plugin's priority."""
    return "Model" if who == "plugin" and source.startswith(MODEL) else _TYPES[who]


def actuator_class(actuator: str) -> str:
    """Return the class of an actuator: what stands before the first dot or slash of its name."""
    return actuator.replace("/", ".").split(".", 1)[0]


def _verdict(proposal: Proposal, allowed: bool, rule: str, reason: str) -> Verdict:
    return Verdict(
        actuator=proposal.actuator,
        source=proposal.source,
        allowed=allowed,
        stage="policy",
        rule=rule,
        value=proposal.value,
        reason=reason,
    )
