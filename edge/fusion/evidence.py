"""What each source says of presence, in log-odds, while it is fresh.

The weights: a camera that sees people is nearly certain, one that sees none may overlook somebody
outside the picture; speech and motion prove presence, their absence proves little (people sit
still and listen); the model on slow air-quality readings only tips the scales.
"""

import math

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


def gather(state: RoomState, rules: FusionRules, mono: float) -> tuple[Evidence, ...]:
    """Return the fresh evidence, one entry per source that has any."""
    found: list[Evidence] = []
    if (people := fresh(state.people, rules.people_stale_s, mono)) is not None:
        count = int(people.value)
        says = f"{count} {'person' if count == 1 else 'people'} in view"
        found.append(Evidence(people.source, SEEN if count else UNSEEN, says))
    if (voice := fresh(state.voice, rules.voice_stale_s, mono)) is not None:
        found.append(_voice(voice))
    found.extend(_motion(state, rules, mono))
    if (estimate := fresh(state.estimate, rules.estimate_stale_s, mono)) is not None:
        odds = ESTIMATE_WEIGHT * _logit(estimate.value)
        odds = max(-ESTIMATE_LIMIT, min(ESTIMATE_LIMIT, odds))
        found.append(Evidence(estimate.source, odds, f"air and light suggest {estimate.value:.0%}"))
    return tuple(found)


def stale_at(state: RoomState, rules: FusionRules) -> list[float]:
    """Return the monotonic instants at which a reading ceases to be evidence."""
    ends = [
        (state.people, rules.people_stale_s),
        (state.voice, rules.voice_stale_s),
        (state.estimate, rules.estimate_stale_s),
    ]
    ends += [(r, rules.motion_stale_s) for r in state.motion.values() if r.value != MOVING]
    return [reading.at + limit for reading, limit in ends if reading is not None]


def fresh(reading: Reading | None, limit: float, mono: float) -> Reading | None:
    """Return the reading if it is younger than `limit` seconds."""
    return reading if reading is not None and mono < reading.at + limit else None


def _voice(voice: Reading) -> Evidence:
    if voice.value >= 0.5:
        return Evidence(voice.source, SPEECH * (2 * voice.value - 1), f"speech {voice.value:.0%}")
    return Evidence(voice.source, SILENCE, "no speech")


def _motion(state: RoomState, rules: FusionRules, mono: float) -> list[Evidence]:
    found = []
    for source, reading in sorted(state.motion.items()):
        if reading.value == MOVING:
            # A sensor says when motion begins and ends, nothing between: it goes on until then.
            found.append(Evidence(source, MOTION, "motion"))
        elif fresh(reading, rules.motion_stale_s, mono) is None:
            continue
        elif reading.value == CEASED and fresh(reading, rules.motion_stale_s / 4, mono) is not None:
            found.append(Evidence(source, RECENT_MOTION, "motion just now"))
        else:
            says = f"no motion for {mono - reading.at:.0f} s"
            found.append(Evidence(source, NO_MOTION, says))
    return found


def _logit(probability: float) -> float:
    clipped = min(0.999, max(0.001, probability))
    return math.log(clipped / (1 - clipped))
