"""Declared intents: which of them a meeting chose, and what they ask of the room together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from edge.contracts.base import Value
from edge.contracts.signals import Meeting

DEFAULT = "default"
MEMO_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Slo:
    """What an intent promises for the start of its meeting; None: nothing.

    ready_s, machine_ready_s: the room stands as asked, the machine is ready, this long before the
    start. temperature_within (C), light_within (%): how far off what is asked at the start.
    """

    ready_s: float | None = None
    machine_ready_s: float | None = None
    temperature_within: float | None = None
    light_within: float | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is promised."""
        return self == _NOTHING


_NOTHING = Slo()


@dataclass(frozen=True, slots=True)
class Intent:
    """What people declare ("quiet meeting with video") and what it means for the room.

    tags: categories or #tags that choose it; targets: actuator -> value while the meeting lasts;
    vm: template of the machine it needs ("" for none), asked for vm_lead_s before the start (0: as
    its template says); lead_s: how long before the start the room should be like that, leads: the
    same for single actuators; exclusive: intents it cannot go with; parts: the intents that make
    it up, when a meeting chose several.
    """

    name: str
    title: str
    tags: tuple[str, ...]
    targets: Mapping[str, Value] = field(default_factory=dict)
    vm: str = ""
    lead_s: float = 0.0
    description: str = ""
    leads: Mapping[str, float] = field(default_factory=dict)
    vm_lead_s: float = 0.0
    slo: Slo = field(default_factory=Slo)
    exclusive: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    def lead(self, actuator: str) -> float:
        """Return how many seconds before the start this actuator should be as asked."""
        return self.leads.get(actuator, self.lead_s)

    @property
    def all_leads(self) -> tuple[float, ...]:
        """Every lead there is, longest first."""
        return tuple(sorted({self.lead_s, *self.leads.values()}, reverse=True))


@dataclass(frozen=True, slots=True)
class Choice:
    """What a meeting chose. matched: intent -> the tag that chose it; left_out: intent -> why.

    leads: the intent's, longest first.
    """

    intent: Intent
    matched: Mapping[str, str]
    left_out: Mapping[str, str]
    leads: tuple[float, ...]


def choose(meeting: Meeting, intents: Sequence[Intent]) -> Intent:
    """Return what the intents whose tags the meeting carries ask together, else the default one.

    Where two speak of the same thing, the one that is declared first counts.
    """
    return choice(meeting, intents).intent


def choice(meeting: Meeting, intents: Sequence[Intent]) -> Choice:
    """Return what `choose` returns, and why. intents: never changed after it was handed in."""
    declared, known = _Memo.latest
    if declared is not intents:
        known = {}
        _Memo.latest = (intents, known)
    found = known.get(meeting.categories)
    if found is None:
        if len(known) >= MEMO_LIMIT:
            known.clear()
        found = known[meeting.categories] = _choice(meeting.categories, intents)
    return found


class _Memo:
    """What was chosen from the intents that were asked for last: a room asks for its own."""

    latest: tuple[Sequence[Intent], dict[tuple[str, ...], Choice]] = ((), {})


def _choice(categories: tuple[str, ...], intents: Sequence[Intent]) -> Choice:
    tags = frozenset(category.lower().lstrip("#") for category in categories)
    chosen: list[Intent] = []
    matched, left_out = {}, {}
    for intent in intents:
        tag = next((t for t in (intent.name, *intent.tags) if t in tags), "")
        if not tag:
            continue
        rival = next((other for other in chosen if excludes(intent, other)), None)
        if rival is not None:
            left_out[intent.name] = f"#{tag} cannot go with {rival.name}, which is declared first"
            continue
        matched[intent.name] = f"#{tag}"
        chosen.append(intent)
    plain = next((intent for intent in intents if intent.name == DEFAULT), None)
    one = compose(chosen) if chosen else plain or Intent(DEFAULT, "Meeting", ())
    return Choice(one, matched, left_out, one.all_leads)


def named(name: str, intents: Sequence[Intent]) -> Intent | None:
    """Return the intent of that name, one that is made up of several too; None for no such."""
    declared = {intent.name: intent for intent in intents}
    parts = [declared[part] for part in name.split("+") if part in declared]
    return compose(parts) if parts and len(parts) == name.count("+") + 1 else None


def excludes(one: Intent, other: Intent) -> bool:
    """Return whether a meeting cannot have both."""
    return other.name in one.exclusive or one.name in other.exclusive


def compose(chosen: Sequence[Intent]) -> Intent:
    """Return one intent that asks what all of them ask; the first that speaks of a thing counts.

    Leads and promises are the strictest of all.
    """
    if len(chosen) == 1:
        return chosen[0]
    targets: dict[str, Value] = {}
    leads: dict[str, float] = {}
    for intent in chosen:
        for actuator, value in intent.targets.items():
            targets.setdefault(actuator, value)
            leads[actuator] = max(leads.get(actuator, 0.0), intent.lead(actuator))
    lead_s = max(intent.lead_s for intent in chosen)
    machine = next((intent for intent in chosen if intent.vm), chosen[0])
    return Intent(
        name="+".join(intent.name for intent in chosen),
        title=" + ".join(intent.title for intent in chosen),
        tags=(),
        targets=targets,
        vm=machine.vm,
        lead_s=lead_s,
        description=" ".join(intent.description for intent in chosen if intent.description),
        leads={actuator: lead for actuator, lead in leads.items() if lead != lead_s},
        vm_lead_s=max(intent.vm_lead_s for intent in chosen),
        slo=strictest([intent.slo for intent in chosen]),
        parts=tuple(intent.name for intent in chosen),
    )


def strictest(promises: Sequence[Slo]) -> Slo:
    """Return the promises that keep all of these: the earliest instant, the narrowest range."""
    strict: dict[str, float] = {}
    for item in fields(Slo):
        values = [v for slo in promises if (v := getattr(slo, item.name)) is not None]
        if values:
            strict[item.name] = max(values) if item.name.endswith("_s") else min(values)
    return Slo(**strict)
