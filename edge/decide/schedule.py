"""The plain safe schedule, and the machines that booked meetings need, as proposals."""

from collections.abc import Mapping, Sequence

from edge.contracts.base import Now, Value, machine_key, pseudonym
from edge.contracts.commands import Proposal
from edge.contracts.wire import WantedMachine
from edge.decide.intents import Intent, choose
from edge.decide.situation import HORIZON_S, Situation
from edge.meetings.life import LIVE, Lives

SOURCE = "schedule"
FOREVER = 1e15
VM = "vm/"


def schedule(
    situation: Situation, fallbacks: Mapping[str, Value], cause: str
) -> tuple[Proposal, ...]:
    """Return one proposal per actuator: the intent's target while it is served, else rest."""
    intent = situation.intent if situation.preparing else None
    proposals = []
    for actuator, rest in fallbacks.items():
        if intent is None or situation.starts_in > intent.lead(actuator):
            value, reason = rest, "at rest"
        else:
            value = intent.targets.get(actuator, rest)
            reason = f"{situation.meeting} meeting, {intent.name}"
        proposals.append(Proposal(actuator, value, FOREVER, SOURCE, "schedule", cause, reason))
    return tuple(proposals)


def machines(
    lives: Lives, intents: Sequence[Intent], organisation: str, now: Now
) -> dict[str, tuple[WantedMachine, Intent]]:
    """Return what each live meeting of the next 36 h wants, keyed by actuator (`vm/` + key)."""
    wanted = {}
    for life in lives.values():
        meeting = life.meeting
        soon = meeting.start <= now.wall + HORIZON_S
        if life.phase not in LIVE or not soon or life.end <= now.wall:
            continue
        intent = choose(meeting, intents)
        template = life.vm or intent.vm
        if not template:
            continue
        key = machine_key(organisation, meeting.uid, meeting.recurrence_id)
        machine = WantedMachine(
            key=key,
            meeting=meeting.key,
            template=template,
            start=meeting.start,
            end=life.end,
            title=meeting.title,
            lead_s=intent.vm_lead_s,
            owner=pseudonym(organisation, meeting.organiser),
        )
        wanted[VM + key] = (machine, intent)
    return wanted


def machine_proposals(
    wanted: Mapping[str, tuple[WantedMachine, Intent]], cause: str
) -> tuple[Proposal, ...]:
    """Return the wanted machines as proposals for the actuator class `vm`."""
    return tuple(
        Proposal(
            actuator, machine.template, FOREVER, SOURCE, "schedule", cause,
            f"{intent.name} needs a machine" if machine.template == intent.vm
            else "asked for at the panel",
        )
        for actuator, (machine, intent) in wanted.items()
    )  # fmt: skip
