/* Optimal start: how fast this room warms up is learned from every rise that was heated for. */
#include "climate.h"

#define NEAR 0.2
#define MARGIN_MIN 5.0
/* A rise tells something once it is so large (degrees) and so long. */
#define RISE 0.5
#define SHORTEST_S 600.0
#define LONGEST_S 5400.0
#define SLOWEST 0.2
#define FASTEST 12.0
#define NEWS 0.35

double lead_min(double target, const settings *s, const memory *m) {
    if (!rk_known(m->warmth)) return s->preheat_min;
    double missing = target - m->warmth;
    if (missing <= NEAR) return MARGIN_MIN;
    if (!rk_known(m->rate)) {
        /* Until it was seen: the installer's minutes, or a degree in half an hour. */
        double guess = missing * 30.0;
        return rk_between(guess, s->preheat_min, s->preheat_max_min);
    }
    return rk_between(missing / m->rate * 60.0 + MARGIN_MIN, MARGIN_MIN, s->preheat_max_min);
}

static void conclude(double now, memory *m) {
    double passed = now - m->from_at;
    double gained = m->warmth - m->from;
    if (passed >= SHORTEST_S && (gained >= RISE || passed >= LONGEST_S)) {
        double seen = rk_between(gained / passed * 3600.0, SLOWEST, FASTEST);
        m->rate = rk_known(m->rate) ? m->rate + NEWS * (seen - m->rate) : seen;
    }
    m->from = m->from_at = RK_UNKNOWN;
}

void learn(double setpoint, double now, memory *m) {
    bool watched = rk_known(m->from);
    bool heats = rk_known(m->warmth) && setpoint > m->warmth + NEAR;
    if (!rk_known(m->warmth) || (watched && now < m->from_at)) {
        m->from = m->from_at = RK_UNKNOWN;
    } else if (watched && (!heats || setpoint < m->last || now - m->from_at >= LONGEST_S)) {
        conclude(now, m);
    } else if (!watched && heats && setpoint > m->last) {
        m->from = m->warmth;
        m->from_at = now;
    }
    m->last = setpoint;
}
