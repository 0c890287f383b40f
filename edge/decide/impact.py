"""High impact: automation that would switch off what people in the room seem to use. Pure."""

from collections.abc import Mapping

from edge.contracts.base import Value
from edge.contracts.commands import Command, Proposal
from edge.decide.policy import actuator_class
from edge.fusion.ensemble import nobody
from edge.fusion.state import RoomState

SEEN_AND_USED = ("light", "display")
"""What people sit there by and look at."""


def doubt(proposal: Proposal, given: Mapping[str, Command], room: RoomState, kinds: int) -> str:
    """Return why automation may not do this now, "" when it may.

    A light or a display that is on is not switched off in a room that looks occupied, unless
    independent kinds of evidence agree that nobody is here. People and safety may.
    """
    if proposal.priority not in ("plugin", "schedule") or not room.presence.occupied:
        return ""
    if actuator_class(proposal.actuator) not in SEEN_AND_USED or not is_off(proposal.value):
        return ""
    last = given.get(proposal.actuator)
    now = room.reported.get(proposal.actuator, 0) if last is None else last.value
    opinion = nobody(room.presence.evidence, kinds)
    if is_off(now) or opinion.agreed:
        return ""
    return f"the room looks occupied ({opinion.says})"


def is_off(value: Value) -> bool:
    """Return whether a value means off, dark or closed down."""
    if isinstance(value, str):
        return value.lower() in ("off", "false", "")
    return not value
