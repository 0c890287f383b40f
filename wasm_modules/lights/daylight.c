/* Daylight: a slow closed loop on the sensor, which sees sun and lamps together.
 *
 * Inside a band around what is enough nothing moves; outside it the lamps' share moves a part of
 * what is missing or too much. Light is given back sooner than it is taken, as nobody minds. */
#include "lights.h"

#define TOO_MUCH 1.25
#define TOO_LITTLE 0.85
#define LESS_S 240.0
#define MORE_S 40.0
#define PART 0.5
#define SMALLEST 0.05

void begin_daylight(double wanted, double now, const settings *s, memory *m) {
    double enough = s->enough_lx * wanted / 100.0;
    m->share = rk_known(m->lux) && enough > 0.0 ? rk_between(1.0 - m->lux / enough, 0.0, 1.0) : 1.0;
    m->share_at = now;
}

void follow_daylight(double wanted, double now, const settings *s, memory *m) {
    double enough = s->enough_lx * wanted / 100.0;
    double waited = now - m->share_at;
    if (!rk_known(m->lux) || enough <= 0.0) {
        m->share = 1.0;
        return;
    }
    bool less = m->lux > enough * TOO_MUCH && m->share > 0.0 && waited >= LESS_S;
    bool more = m->lux < enough * TOO_LITTLE && m->share < 1.0 && waited >= MORE_S;
    if (!less && !more) return;
    double change = PART * (1.0 - m->lux / enough);
    if (change < 0.0 && change > -SMALLEST) change = -SMALLEST;
    if (change > 0.0 && change < SMALLEST) change = SMALLEST;
    m->share = rk_between(m->share + rk_between(change, -0.25, 0.4), 0.0, 1.0);
    m->share_at = now;
}
