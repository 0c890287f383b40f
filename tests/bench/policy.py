"""What one decision of the shipped policy costs: `python -m tests.bench.policy`.

New: never asked before, so Cedar decides; known: asked before in the same room. Beside it, Cedar
with the policy as text, as it is called without preparation.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cedarpy

from edge.contracts.commands import Proposal
from edge.decide.policy import Context, Policy

TEXT = (Path(__file__).parents[2] / "config/policies/room.cedar").read_text()
BUSY = Context(
    occupied=True, active=True, consent="all", trusted=True, weekday=2, minute=600, co2=800
)
CALLS, ROUNDS = 400, 7


def wish(n: int) -> Proposal:
    return Proposal("light.main", 20 + n / 10, 9.0, "plugin:lights", "plugin", "c")


def timed(call: Callable[[int], object]) -> float:
    """Return the microseconds (of processor time) of a call, of the least disturbed round."""
    rounds = []
    for _ in range(ROUNDS):
        times = []
        for n in range(CALLS):
            begun = time.thread_time_ns()
            call(n)
            times.append(time.thread_time_ns() - begun)
        rounds.append(statistics.median(times) / 1000)
    return min(rounds)


def from_text(n: int) -> object:
    context = {
        "class": "light", "value": "", "value10": 200 + n, "occupied": True, "active": True,
        "consent": "all", "trusted": True, "weekday": 2, "minute": 600, "co2": 800,
        "by_hand": "", "template": "", "cost_cents": 0,
    }  # fmt: skip
    request = {
        "principal": 'Plugin::"lights"', "action": 'Action::"set"',
        "resource": 'Actuator::"light.main"', "context": context,
    }  # fmt: skip
    return cedarpy.is_authorized(request, TEXT, "[]")


def main() -> None:
    policy = Policy(TEXT)
    assert policy.decide(wish(0), BUSY).allowed

    def new(n: int) -> object:
        policy._known.clear()
        return policy.decide(wish(n), BUSY)

    text, fresh = timed(from_text), timed(new)
    known = timed(lambda _: policy.decide(wish(0), BUSY))
    peer = f"Cedar, policy as text: {text:.0f} us"
    for name, value in [("new", fresh), ("known", known)]:
        figure = {"figure": f"policy: a decision, {name}", "value": round(value, 2), "unit": "us"}
        print(json.dumps({**figure, "peer": peer, "ratio": round(value / text, 4)}))
    begun = time.thread_time_ns()
    for _ in range(20):
        Policy(TEXT)
    parse = (time.thread_time_ns() - begun) / 20e6
    print(json.dumps({"figure": "policy: read once, at the start", "value": round(parse, 2),
                      "unit": "ms", "peer": "", "ratio": None}))  # fmt: skip


if __name__ == "__main__":
    main()
