"""What to do about the machines, from what is wanted, what exists and what was written. Pure."""

from cloud_bridge.plan.attempts import MAX_ATTEMPTS, RETRY_CAP_S, crowded, failed
from cloud_bridge.plan.core import plan
from cloud_bridge.plan.lead import MARGIN_S, Lead, lead_of
from cloud_bridge.plan.pools import TRIES, pool_failed

__all__ = [
    "MARGIN_S",
    "MAX_ATTEMPTS",
    "RETRY_CAP_S",
    "TRIES",
    "Lead",
    "crowded",
    "failed",
    "lead_of",
    "plan",
    "pool_failed",
]
