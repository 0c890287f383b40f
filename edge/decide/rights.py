"""What the policy lets happen to meetings: end, give back, get a machine, enter it. Pure."""

import dataclasses
import math
from collections.abc import Mapping

from msgspec.structs import replace

from edge.contracts.commands import Verdict
from edge.contracts.signals import OperatorAsked, Signal, Woke
from edge.decide.policy import Context, Policy
from edge.decide.schedule import SOURCE
from edge.meetings.life import MeetingRules

END, RELEASE = "end_meeting", "release_room"
ASK, CONNECT = "ask_machine", "connect_machine"


def allowed_rules(rules: MeetingRules, policy: Policy, room: str, context: Context) -> MeetingRules:
    """Return the booking rules without what the schedule may not do to a meeting now."""
    if rules.empty_end_s and not policy.may("schedule", SOURCE, END, room, context).allowed:
        rules = dataclasses.replace(rules, empty_end_s=0.0)
    if not policy.may("schedule", SOURCE, RELEASE, room, context).allowed:
        rules = dataclasses.replace(rules, no_show_s=math.inf)
    return rules


def allowed_wish(
    signal: Signal, policy: Policy, room: str, context: Context, costs: Mapping[str, float]
) -> tuple[Signal, tuple[Verdict, ...]]:
    """Return the signal as meetings may hear it, and the refusal of what a person may not ask.

    costs: template -> what its machine costs an hour.
    """
    if not isinstance(signal, OperatorAsked):
        return signal, ()
    action = _action(signal)
    if not action:
        return signal, ()
    if action == ASK:
        template = str(signal.value)
        context = replace(
            context, template=template, cost_cents=round(costs.get(template, 0.0) * 100)
        )
    verdict = policy.may("manual", f"person:{signal.who}", action, room, context)
    return (signal, ()) if verdict.allowed else (Woke(), (verdict,))


def _action(signal: OperatorAsked) -> str:
    """Return what the policy calls that which is asked; "" for what it is not asked about."""
    match signal.verb:
        case "end":
            return END
        case "connect":
            return CONNECT
        case "machine":
            return ASK
        case "book" if signal.value != "":
            return ASK
        case _:
            return ""
