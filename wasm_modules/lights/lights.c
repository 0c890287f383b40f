/* Lights: the intent's level while the room is used, less by daylight, held after people left. */
#include "roomkeeper.h"

const char rk_describe[] = "{\"id\":\"lights\",\"schema\":1}";

typedef struct {
    rk_str actuator;
    double level, lowest, daylight_lx, prelight_min, prelight_level, hold_s, lease_s;
} settings;

/* What is remembered: when people were last seen (wall seconds) and the last daylight level. */
typedef struct {
    double seen, level;
} memory;

static settings settings_of(const rk_json *input) {
    const rk_json *s = rk_get(input, "settings");
    return (settings){
        .actuator = rk_text(s, "actuator", rk_lit("light.main")),
        .level = rk_number(s, "default_level", 80.0),
        .lowest = rk_number(s, "lowest_level", 20.0),
        .daylight_lx = rk_number(s, "full_daylight_lx", 1000.0),
        .prelight_min = rk_number(s, "prelight_min", 3.0),
        .prelight_level = rk_number(s, "prelight_level", 30.0),
        .hold_s = rk_number(s, "hold_s", 120.0),
        .lease_s = rk_number(s, "lease_s", 180.0),
    };
}

static double between(double number, double low, double high) {
    return number < low ? low : number > high ? high : number;
}

/* The wanted level less the daylight's share, in steps of 5; never below the lowest. */
static double with_daylight(double wanted, double lux, const settings *s, double last) {
    if (lux < 0.0 || s->daylight_lx <= 0.0) return wanted;
    double left = wanted * (1.0 - between(lux / s->daylight_lx, 0.0, 1.0));
    double floor = wanted < s->lowest ? wanted : s->lowest;
    double level = 5.0 * (double)(int)(between(left, floor, 100.0) / 5.0 + 0.5);
    /* The lamps light the sensor too: a small difference is their own echo. */
    double change = level - last;
    bool echo = last >= floor && last <= wanted && change > -10.0 && change < 10.0;
    return echo ? last : level;
}

static bool meeting_is(const rk_json *event, const char *phase) {
    return rk_equal(rk_text(event, "meeting", rk_lit("none")), rk_lit(phase));
}

static void put_rest(rk_out *out, const char *text, double number, const char *unit) {
    rk_put(out, text);
    rk_put_number(out, number, 0);
    rk_put(out, unit);
}

/* The level for one lamp, with its reason appended to `why`. */
static double level_for(const rk_json *event, double wanted, double now, const settings *s,
                        memory *m, rk_out *why) {
    bool here = rk_flag(event, "occupied", false);
    double lux = rk_number(rk_get(event, "readings"), "illuminance", -1.0);
    double next = rk_number(event, "minutes_to_next", -1.0);
    double gone = now - m->seen;
    rk_put_people(why, event);
    if (!here && meeting_is(event, "active")) {
        rk_put(why, ", meeting runs");
    } else if (!here && gone >= 0.0 && gone < s->hold_s) {
        put_rest(why, ", held for another ", s->hold_s - gone, " s");
    } else if (!here && next >= 0.0 && next <= s->prelight_min) {
        put_rest(why, ", meeting in ", next, " min");
        wanted = wanted < s->prelight_level ? wanted : s->prelight_level;
    } else if (!here) {
        m->level = -1.0;
        return 0.0;
    }
    if (lux >= 0.0) put_rest(why, ", daylight ", lux, " lx");
    m->level = with_daylight(between(wanted, 0.0, 100.0), lux, s, m->level);
    return m->level;
}

static void answer_one(rk_answer *answer, const rk_json *event, rk_str actuator, double wanted,
                       double now, const settings *s, memory *m) {
    rk_out why = {0};
    double level = level_for(event, wanted, now, s, m, &why);
    rk_command(answer, rk_text(event, "id", rk_lit("")), actuator, level, s->lease_s,
               (rk_str){why.at, why.len});
}

/* Every lamp the intent names, or the one of the settings: each event is answered. */
static void answer_event(rk_answer *answer, const rk_json *event, double now, const settings *s,
                         memory *m) {
    if (rk_flag(event, "occupied", false)) m->seen = now;
    const rk_json *targets = rk_get(event, "targets");
    memory before = *m;
    bool named = false;
    const rk_json *t = targets != NULL && targets->kind == RK_OBJECT ? targets->child : NULL;
    for (; t != NULL; t = t->next) {
        if (!rk_starts(t->key, "light.") || t->kind != RK_NUMBER) continue;
        m->level = before.level;
        answer_one(answer, event, t->key, t->number, now, s, m);
        named = true;
    }
    if (!named) answer_one(answer, event, s->actuator, s->level, now, s, m);
}

void rk_handle(const rk_json *input, rk_answer *answer, rk_out *state) {
    settings s = settings_of(input);
    const rk_json *kept = rk_parse(rk_text(input, "state", rk_lit("{}")));
    memory m = {rk_number(kept, "seen", -1e12), rk_number(kept, "level", -1.0)};
    double now = rk_number(input, "now", 0.0);
    const rk_json *events = rk_get(input, "events");
    const rk_json *event = events != NULL && events->kind == RK_LIST ? events->child : NULL;
    for (; event != NULL; event = event->next) answer_event(answer, event, now, &s, &m);
    rk_put(state, "{\"seen\":");
    rk_put_number(state, m.seen, 3);
    rk_put(state, ",\"level\":");
    rk_put_number(state, m.level, 0);
    rk_put(state, "}");
}
