/* Ventilation by CO2: in coarse steps and with patience, so that it is not heard to hunt. */
#include "climate.h"

#define DWELL_S 180.0
#define STEP 10.0
#define BAND 15.0

static double needed(double air, bool used, const settings *s) {
    double least = used ? s->fan_least : 0.0;
    if (!rk_known(air)) return least;
    double share = (air - s->co2_good) / (s->co2_bad - s->co2_good);
    return rk_between(rk_round(share * 100.0 / STEP) * STEP, least, 100.0);
}

/* A quiet intent names the most it wants to hear; health goes before quiet. */
static double quiet(const rk_json *event, double level, const settings *s, const memory *m) {
    const rk_json *t = rk_first(rk_get(event, "targets"));
    for (; t != NULL; t = t->next)
        if (t->kind == RK_NUMBER && rk_equal(t->key, s->fan) && level > t->number)
            return rk_known(m->air) && m->air > s->co2_bad ? level
                                                           : rk_between(t->number, 0.0, 100.0);
    return level;
}

double fan_level(const rk_json *event, double now, bool used, const settings *s, memory *m,
                 rk_out *why) {
    double wanted = is_open(now, s, m) ? 0.0 : quiet(event, needed(m->air, used, s), s, m);
    double apart = wanted > m->level ? wanted - m->level : m->level - wanted;
    bool ends = wanted <= 0.0 || wanted >= 100.0;
    bool waited = now - m->level_at >= DWELL_S || now < m->level_at;
    if (apart > 0.0 && waited && (apart >= BAND || ends)) {
        m->level = wanted;
        m->level_at = now;
    }
    rk_put_people(why, event);
    if (rk_known(m->air)) rk_put_rest(why, ", air ", m->air, 0, " ppm");
    if (is_open(now, s, m)) rk_put(why, ", window open");
    return m->level;
}
