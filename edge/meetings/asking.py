"""Before a meeting is ended or its room released for emptiness: evidence that agrees, or a person.

Where the evidence does not suffice, people at the panel are asked until `Life.asked`; without an
answer the meeting stays.
"""

from msgspec.structs import replace

from edge.contracts.base import Now
from edge.fusion.ensemble import nobody
from edge.fusion.state import Presence
from edge.meetings.life import Life, MeetingRules


def consider(
    life: Life, presence: Presence, paused: bool, rules: MeetingRules, now: Now
) -> tuple[Life, str]:
    """Return the life, and what agrees that nobody is here; "" while it may not be ended for it."""
    if paused or now.wall < life.kept:
        return withdrawn(life), ""
    opinion = nobody(presence.evidence, rules.agree_kinds)
    if opinion.agreed:
        return withdrawn(life), opinion.says
    if life.asked and now.wall >= life.asked:
        reason = "nobody answered: it stays"
        return replace(life, asked=0.0, asks_at=now.wall + rules.keep_s, reason=reason), ""
    if not life.asked and now.wall >= life.asks_at:
        reason = f"asks whether anybody is here ({opinion.says})"
        return replace(life, asked=now.wall + rules.ask_s, reason=reason), ""
    return life, ""


def withdrawn(life: Life) -> Life:
    """Return the life without a question."""
    return replace(life, asked=0.0) if life.asked else life


def keep(life: Life, who: str, rules: MeetingRules, now: Now) -> Life:
    """Return the life after somebody said that it goes on; unchanged when nobody asked."""
    if not life.asked:
        return life
    kept = now.wall + rules.keep_s
    return replace(life, asked=0.0, kept=kept, asks_at=kept, reason=f"kept at the {who}")
