"""What each source says of presence, in log-odds, while it is fresh.

The weights: a camera that sees people is nearly certain, one that sees none may overlook somebody
outside the picture; speech and motion prove presence, their absence proves little (people sit
still and listen); the model on slow air-quality readings only tips the scales.
"""

import math
from collections.abc import Mapping
from itertools import islice
from operator import attrgetter

from edge.fusion.state import CEASED, MOVING, Evidence, FusionRules, Reading, RoomState

SEEN = 4.0
UNSEEN = -2.5
SPEECH = 2.5
SILENCE = -0.3
MOTION = 2.5
RECENT_MOTION = 1.0
NO_MOTION = -0.6
ESTIMATE_WEIGHT = 0.4
ESTIMATE_LIMIT = 1.5
SENSORS_LISTED = 32
"""More motion sensors than this are told of together: nobody reads a longer list."""

_by_source = attrgetter("source")


def gather(state: RoomState, rules: FusionRules, mono: float) -> tuple[Evidence, ...]:
    """Return the fresh evidence, one entry per source that has any."""
    # At every edge of a crowd: nothing is asked of what is not there.
    found: list[Evidence] = []
    if state.people is not None and fresh(state.people, rules.people_stale_s, mono):
        found.append(_people(state.people))
    if state.voice is not None and fresh(state.voice, rules.voice_stale_s, mono):
        found.append(_voice(state.voice))
    if state.motion:
        _motion(state.motion, rules, mono, found)
    if state.estimate is not None and fresh(state.estimate, rules.estimate_stale_s, mono):
        found.append(_estimate(state.estimate))
    return tuple(found)


def stale_at(state: RoomState, rules: FusionRules, mono: float) -> list[float]:
    """Return the monotonic instants at which what is evidence at `mono` next says less."""
    ends = [
        (state.people, rules.people_stale_s),
        (state.voice, rules.voice_stale_s),
        (state.estimate, rules.estimate_stale_s),
    ]
    instants = [reading.at + limit for reading, limit in ends if reading is not None]
    for limit in (rules.motion_stale_s, rules.motion_stale_s / 4):
        # The oldest word stands first: the first that is not over yet is the next to be.
        first = (r.at + limit for r in state.motion.values() if r.value != MOVING)
        instants.extend(islice((at for at in first if at > mono), 1))
    return instants


def fresh(reading: Reading | None, limit: float, mono: float) -> Reading | None:
    """Return the reading if it is younger than `limit` seconds."""
    return reading if reading is not None and mono < reading.at + limit else None


def _people(people: Reading) -> Evidence:
    count = int(people.value)
    says = f"{count} {'person' if count == 1 else 'people'} in view"
    return Evidence(people.source, SEEN if count else UNSEEN, says, "camera")


def _voice(voice: Reading) -> Evidence:
    if voice.value >= 0.5:
        odds = SPEECH * (2 * voice.value - 1)
        return Evidence(voice.source, odds, f"speech {voice.value:.0%}", "voice")
    return Evidence(voice.source, SILENCE, "no speech", "voice")


def _motion(
    motion: Mapping[str, Reading], rules: FusionRules, mono: float, found: list[Evidence]
) -> None:
    """Add one entry per sensor, or one for all where there are very many."""
    limit, heard = rules.motion_stale_s, []
    for reading in motion.values():
        # A sensor says when motion begins and ends, nothing between: it goes on until then.
        if reading.value == MOVING or mono < reading.at + limit:
            heard.append(reading)
    if len(heard) > SENSORS_LISTED:
        found.append(_crowd(heard, limit / 4, mono))
        return
    if len(heard) > 1:
        heard.sort(key=_by_source)
    for reading in heard:
        found.append(_one(reading, limit / 4, mono))


def _one(reading: Reading, recent: float, mono: float) -> Evidence:
    if reading.value == MOVING:
        return Evidence(reading.source, MOTION, "motion", "motion")
    if reading.value == CEASED and mono < reading.at + recent:
        return Evidence(reading.source, RECENT_MOTION, "motion just now", "motion")
    says = f"no motion for {mono - reading.at:.0f} s"
    return Evidence(reading.source, NO_MOTION, says, "motion")


def _crowd(heard: list[Reading], recent: float, mono: float) -> Evidence:
    moving = sum(1 for r in heard if r.value == MOVING)
    just_now = sum(1 for r in heard if r.value == CEASED and mono < r.at + recent)
    still = len(heard) - moving - just_now
    odds = moving * MOTION + just_now * RECENT_MOTION + still * NO_MOTION
    says = f"motion at {moving} sensors, just now at {just_now}, none at {still}"
    return Evidence("node:*", odds, says, "motion")


def _estimate(estimate: Reading) -> Evidence:
    odds = ESTIMATE_WEIGHT * _logit(estimate.value)
    odds = max(-ESTIMATE_LIMIT, min(ESTIMATE_LIMIT, odds))
    return Evidence(estimate.source, odds, f"air and light suggest {estimate.value:.0%}", "air")


def _logit(probability: float) -> float:
    clipped = min(0.999, max(0.001, probability))
    return math.log(clipped / (1 - clipped))
