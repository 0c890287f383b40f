/* Whether the room is used, and whether it is open: both with a little patience. */
#include "climate.h"

#define TAU_S 120.0

static bool opened(const rk_json *event, const settings *s) {
    const rk_json *contacts = rk_get(event, "contacts");
    return rk_flag(contacts, "window", false) ||
           (s->door_counts && rk_flag(contacts, "door", false));
}

void look(const rk_json *event, double now, const settings *s, memory *m) {
    double passed = now - m->read_at;
    double warmth = rk_reading(event, "temperature");
    double air = rk_reading(event, "co2");
    m->warmth = rk_known(warmth) ? rk_smooth(m->warmth, warmth, passed, TAU_S) : RK_UNKNOWN;
    m->air = rk_known(air) ? rk_smooth(m->air, air, passed, TAU_S) : RK_UNKNOWN;
    m->read_at = now;
    if (!rk_here(event)) {
        m->came = RK_UNKNOWN;
    } else {
        if (!rk_known(m->came)) m->came = now;
        if (now - m->came >= s->walk_in_s) m->seen = now;
    }
    if (!opened(event, s)) m->opened = RK_UNKNOWN;
    else if (!rk_known(m->opened)) m->opened = now;
}

bool is_open(double now, const settings *s, const memory *m) {
    return rk_known(m->opened) && now - m->opened >= s->window_s;
}

bool is_used(const rk_json *event, double now, const settings *s, const memory *m, rk_out *why) {
    double gone = now - m->seen;
    bool pending = rk_meeting(event, "pending") && rk_flag(event, "started", false);
    rk_put_people(why, event);
    if (rk_meeting(event, "active")) {
        if (!rk_here(event)) rk_put(why, ", meeting runs");
        return true;
    }
    if (pending) {
        rk_put(why, ", meeting begins");
        return true;
    }
    if (gone < 0.0 || gone > s->hold_s) return false;
    if (!rk_here(event)) rk_put_rest(why, ", held for another ", (s->hold_s - gone) / 60.0, 0, " min");
    return true;
}
