"""Do independent kinds of evidence agree that nobody is here? Asked before what hurts when wrong.

Fusion sums evidence up; here each kind (camera, voice, motion, air) has one voice, so that no
single sensor, however sure, ends a meeting or darkens a room that looks occupied. Air lags: it
still speaks of people for minutes after they left, so against what the others see it has no veto,
but then one more of them must agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.fusion.state import Evidence

NOBODY = -0.2
"""Log-odds at or below which a kind says that nobody is here ..."""
SOMEBODY = 0.5
"""... and at or above which it says that somebody is."""
LAGGING = "air"


@dataclass(frozen=True, slots=True)
class Opinion:
    """agreed: enough kinds say nobody and none says somebody; says: what they rest on, in words."""

    agreed: bool
    says: str


def nobody(evidence: Sequence[Evidence], kinds: int) -> Opinion:
    """Return whether at least `kinds` kinds of fresh evidence agree that nobody is here."""
    strongest: dict[str, Evidence] = {}
    for item in evidence:
        known = strongest.get(item.kind)
        if known is None or item.odds > known.odds:
            strongest[item.kind] = item
    against = [item for item in strongest.values() if item.odds >= SOMEBODY]
    agree = [item for item in strongest.values() if item.odds <= NOBODY]
    veto = [item for item in against if item.kind != LAGGING]
    agreed = not veto and len(agree) >= kinds + len(against)
    told = agree if agreed else against or agree
    says = ", ".join(f"{item.source}: {item.says}" for item in told) or "nothing says so"
    return Opinion(agreed, says)
