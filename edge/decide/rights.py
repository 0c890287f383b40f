"""What the policy lets happen to meetings: who may end one, who may give the room back. Pure."""

import math
from dataclasses import replace

from edge.contracts.commands import Verdict
from edge.contracts.signals import OperatorAsked, Signal, Woke
from edge.decide.policy import Context, Policy
from edge.decide.schedule import SOURCE
from edge.meetings.life import MeetingRules

END, RELEASE = "end_meeting", "release_room"


def allowed_rules(rules: MeetingRules, policy: Policy, room: str, context: Context) -> MeetingRules:
    """Return the booking rules without what the schedule may not do to a meeting now."""
    if rules.empty_end_s and not policy.may("schedule", SOURCE, END, room, context).allowed:
        rules = replace(rules, empty_end_s=0.0)
    if not policy.may("schedule", SOURCE, RELEASE, room, context).allowed:
        rules = replace(rules, no_show_s=math.inf)
    return rules


def allowed_wish(
    signal: Signal, policy: Policy, room: str, context: Context
) -> tuple[Signal, tuple[Verdict, ...]]:
    """Return the signal as meetings may hear it, and the refusal of what a person may not ask."""
    if not isinstance(signal, OperatorAsked) or signal.verb != "end":
        return signal, ()
    verdict = policy.may("manual", f"person:{signal.who}", END, room, context)
    return (signal, ()) if verdict.allowed else (Woke(), (verdict,))
