"""Cedar policy: may this principal set this actuator to this value now, and which rule says so."""

from dataclasses import dataclass, field

import cedarpy

from edge.contracts.commands import SURE, Priority, Proposal, Verdict

NUMBER_LIMIT = 1e9
"""No actuator's number reaches it; beyond, Cedar's whole numbers end."""

_TYPES: dict[Priority, str] = {
    "safety": "Safety",
    "manual": "Person",
    "plugin": "Plugin",
    "schedule": "Schedule",
}


class PolicyError(ValueError):
    """A policy text that does not parse; the message is Cedar's own, with line and column."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision may depend on besides who, what and how much."""

    occupied: bool
    active: bool
    consent: str
    trusted: bool
    template: str = ""


@dataclass(slots=True)
class Policy:
    """A parsed policy; `broken` holds the reason when it could not be parsed.

    A broken policy denies persons and plugins; schedule and safety survive it.
    """

    text: str
    broken: str = ""
    _parsed: cedarpy.PolicySet | None = None
    _entities: cedarpy.Entities | None = None
    _known: dict[tuple[object, ...], tuple[bool, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            self._parsed = cedarpy.PolicySet.from_str(self.text)
            self._entities = cedarpy.Entities.from_json_str("[]")
        except ValueError as error:
            self.broken = str(error)

    def decide(self, proposal: Proposal, context: Context) -> Verdict:
        """Return what the policy says to `proposal`; the rule named is the one that decided."""
        if self.broken:
            allowed = proposal.priority in SURE
            return _verdict(proposal, allowed, "policy-broken", self.broken)
        value = proposal.value
        # 1 and True are equal, but the policy sees a number and a name.
        named = isinstance(value, bool | str)
        if not isinstance(value, str) and not abs(value) < NUMBER_LIMIT:
            return _verdict(proposal, False, "number", f"{str(value)[:32]} is no usable number")
        key = (proposal.priority, proposal.source, named, value, proposal.actuator, context)
        answer = self._known.get(key)
        if answer is None:
            if len(self._known) >= 4096:
                self._known.clear()
            answer = self._known[key] = self._ask(proposal, context)
        allowed, rule = answer
        return _verdict(proposal, allowed, rule, "" if allowed else f"denied by policy {rule}")

    def _ask(self, proposal: Proposal, context: Context) -> tuple[bool, str]:
        number = isinstance(proposal.value, int | float) and not isinstance(proposal.value, bool)
        request = {
            "principal": f'{_TYPES[proposal.priority]}::"{_escape(_name(proposal.source))}"',
            "action": 'Action::"set"',
            "resource": f'Actuator::"{_escape(proposal.actuator)}"',
            "context": {
                "class": actuator_class(proposal.actuator),
                "value": "" if number else str(proposal.value),
                # Cedar has whole numbers only: tenths of the actuator's unit.
                "value10": round(float(proposal.value) * 10) if number else 0,
                "occupied": context.occupied,
                "active": context.active,
                "consent": context.consent,
                "trusted": context.trusted,
                "template": context.template,
            },
        }
        result = cedarpy.is_authorized(request, self._parsed, self._entities)
        names = result.diagnostics.id_annotations_by_reason
        reasons = sorted(names.get(rule) or rule for rule in result.diagnostics.reasons)
        errors = [str(error) for error in result.diagnostics.errors]
        if result.allowed:
            return True, ", ".join(reasons)
        return False, ", ".join(reasons or errors) or "no permit"


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


def _name(source: str) -> str:
    return source.split(":", 1)[-1]


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
