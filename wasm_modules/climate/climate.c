/* Climate: comfort for people and in time for meetings, set back otherwise; air by CO2. */
#include "climate.h"

const char rk_describe[] = "{\"id\":\"climate\",\"schema\":1}";

static settings settings_of(const rk_json *input) {
    const rk_json *s = rk_get(input, "settings");
    settings made = {
        .actuator = rk_text(s, "actuator", rk_lit("climate.setpoint")),
        .fan = rk_text(s, "ventilation", rk_lit("")),
        .comfort = rk_number(s, "comfort", 21.5),
        .setback = rk_number(s, "setback", 18.0),
        .held = rk_number(s, "window_setpoint", 15.0),
        .preheat_min = rk_number(s, "preheat_min", 20.0),
        .preheat_max_min = rk_number(s, "preheat_max_min", 180.0),
        .walk_in_s = rk_number(s, "walk_in_s", 180.0),
        .hold_s = rk_number(s, "hold_min", 10.0) * 60.0,
        .window_s = rk_number(s, "window_s", 60.0),
        .co2_good = rk_number(s, "co2_good", 700.0),
        .co2_bad = rk_number(s, "co2_bad", 1100.0),
        .fan_least = rk_number(s, "fan_least", 20.0),
        .lease_s = rk_number(s, "lease_s", 600.0),
        .door_counts = rk_flag(s, "door_counts", false),
    };
    if (made.co2_bad < made.co2_good + 100.0) made.co2_bad = made.co2_good + 100.0;
    if (made.preheat_max_min < made.preheat_min) made.preheat_max_min = made.preheat_min;
    return made;
}

static memory memory_of(const rk_json *input) {
    const rk_json *kept = rk_parse(rk_text(input, "state", rk_lit("{}")));
    return (memory){
        .came = rk_number(kept, "came", RK_UNKNOWN),
        .seen = rk_number(kept, "seen", RK_UNKNOWN),
        .opened = rk_number(kept, "opened", RK_UNKNOWN),
        .warmth = rk_number(kept, "warmth", RK_UNKNOWN),
        .air = rk_number(kept, "air", RK_UNKNOWN),
        .read_at = rk_number(kept, "read_at", RK_UNKNOWN),
        .rate = rk_number(kept, "rate", RK_UNKNOWN),
        .from = rk_number(kept, "from", RK_UNKNOWN),
        .from_at = rk_number(kept, "from_at", RK_UNKNOWN),
        .last = rk_number(kept, "last", 100.0),
        .level = rk_between(rk_number(kept, "level", 0.0), 0.0, 100.0),
        .level_at = rk_number(kept, "level_at", RK_UNKNOWN),
        .early = rk_number(kept, "early", 0.0) > 0.0,
    };
}

static double target_in(const rk_json *targets, rk_str actuator, double otherwise) {
    for (const rk_json *t = rk_first(targets); t != NULL; t = t->next)
        if (t->kind == RK_NUMBER && rk_equal(t->key, actuator)) return t->number;
    return otherwise;
}

/* Whether it is time to heat for the meeting that comes. Once begun it goes on until the meeting,
 * although the warmer the room becomes the later it would have to begin. */
static bool is_time(double next, double target, const settings *s, memory *m, rk_out *why) {
    double lead = lead_min(target, s, m);
    bool still = m->early && next <= lead + 15.0 + s->preheat_min;
    m->early = next >= 0.0 && (next <= lead || still);
    if (m->early) rk_put_rest(why, ", meeting in ", next, 0, " min");
    return m->early;
}

static double setpoint_for(const rk_json *event, double now, bool used, const settings *s,
                           memory *m, rk_out *why) {
    double coming = target_in(rk_get(event, "next_targets"), s->actuator, s->comfort);
    double next = rk_number(event, "minutes_to_next", -1.0);
    if (is_open(now, s, m)) {
        rk_put(why, ", window open");
        return s->held;
    }
    if (used) {
        m->early = false;
        return target_in(rk_get(event, "targets"), s->actuator, s->comfort);
    }
    if (is_time(next, coming, s, m, why)) return coming;
    rk_put(why, ", set back");
    return s->setback;
}

static void answer_event(rk_answer *answer, const rk_json *event, double now, const settings *s,
                         memory *m) {
    rk_out why = {0};
    look(event, now, s, m);
    bool used = is_used(event, now, s, m, &why);
    double value = rk_between(setpoint_for(event, now, used, s, m, &why), 5.0, 35.0);
    if (rk_known(m->warmth)) rk_put_rest(&why, ", measured ", m->warmth, 1, " \xC2\xB0" "C");
    learn(value, now, m);
    rk_command(answer, rk_id(event), s->actuator, value, s->lease_s, (rk_str){why.at, why.len});
    if (s->fan.len == 0) return;
    rk_out air = {0};
    double level = fan_level(event, now, used, s, m, &air);
    rk_command(answer, rk_id(event), s->fan, level, s->lease_s, (rk_str){air.at, air.len});
}

void rk_handle(const rk_json *input, rk_answer *answer, rk_out *state) {
    settings s = settings_of(input);
    memory m = memory_of(input);
    double now = rk_number(input, "now", 0.0);
    for (const rk_json *event = rk_events(input); event != NULL; event = event->next)
        answer_event(answer, event, now, &s, &m);
    rk_keep(state, "came", m.came);
    rk_keep(state, "seen", m.seen);
    rk_keep(state, "opened", m.opened);
    rk_keep(state, "warmth", m.warmth);
    rk_keep(state, "air", m.air);
    rk_keep(state, "read_at", m.read_at);
    rk_keep(state, "rate", m.rate);
    rk_keep(state, "from", m.from);
    rk_keep(state, "from_at", m.from_at);
    rk_keep(state, "last", m.last);
    rk_keep(state, "level", m.level);
    rk_keep(state, "level_at", m.level_at);
    rk_keep(state, "early", m.early ? 1.0 : 0.0);
    rk_put(state, "}");
}
