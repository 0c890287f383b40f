/* Whether the room is used: seen, held for a while, or felt in its air when people sit still. */
#include "lights.h"

#define FAST_S 60.0
#define SLOW_S 600.0
/* Below its own mean by more than the sensor's noise (ppm): the air is being cleaned, not used. */
#define FALLING_PPM 8.0

void breathe(const rk_json *event, double now, memory *m) {
    double co2 = rk_reading(event, "co2");
    double lux = rk_reading(event, "illuminance");
    double passed = now - m->read_at;
    if (!rk_known(co2)) m->air = m->slow = RK_UNKNOWN;
    if (!rk_known(lux)) m->lux = RK_UNKNOWN;
    if (rk_known(co2)) {
        m->air = rk_smooth(m->air, co2, passed, FAST_S);
        m->slow = rk_smooth(m->slow, co2, passed, SLOW_S);
    }
    if (rk_known(lux)) m->lux = rk_smooth(m->lux, lux, passed, 20.0);
    m->read_at = now;
}

static bool breathing(double gone, const settings *s, const memory *m) {
    /* Who was once taken for gone comes back through the door, not out of the air. */
    if (m->empty || gone < 0.0 || gone > s->still_min * 60.0 || s->still_co2 <= 0.0) return false;
    return rk_known(m->air) && m->air >= s->still_co2 && m->air > m->slow - FALLING_PPM;
}

use in_use(const rk_json *event, double now, const settings *s, const memory *m, rk_out *why) {
    double next = rk_number(event, "minutes_to_next", -1.0);
    double gone = now - m->seen;
    rk_put_people(why, event);
    if (rk_here(event)) return USED;
    if (rk_meeting(event, "active")) {
        rk_put(why, ", meeting runs");
        return USED;
    }
    if (gone >= 0.0 && gone < s->hold_s) {
        rk_put_rest(why, ", held for another ", s->hold_s - gone, 0, " s");
        return USED;
    }
    if (breathing(gone, s, m)) {
        rk_put_rest(why, ", but the air is breathed, ", m->air, 0, " ppm");
        return USED;
    }
    if (rk_meeting(event, "pending") && rk_flag(event, "started", false)) {
        rk_put(why, ", meeting begins");
        return SOON;
    }
    if (next >= 0.0 && next <= s->prelight_min) {
        rk_put_rest(why, ", meeting in ", next, 0, " min");
        return SOON;
    }
    return UNUSED;
}
