/* Lights: scenes by intent, less by daylight, faded, held for people who sit still. Percent. */
#include "lights.h"

const char rk_describe[] = "{\"id\":\"lights\",\"schema\":1}";

/* A fade moves at most every so often: 24 steps a minute pass the gate's 30. */
#define FADE_STEP_S 2.5
#define FADE_IDLE_S 60.0

static settings settings_of(const rk_json *input) {
    const rk_json *s = rk_get(input, "settings");
    return (settings){
        .lamps = rk_text(s, "actuator", rk_lit("light.main")),
        .scenes = {rk_text(s, "presentation", rk_lit("main=40 front=10")),
                   rk_text(s, "video", rk_lit("main=70 front=60")),
                   rk_text(s, "discussion", rk_lit("main=80")),
                   rk_text(s, "cleaning", rk_lit("main=100 front=100"))},
        .level = rk_number(s, "default_level", 80.0),
        .lowest = rk_number(s, "lowest_level", 20.0),
        .enough_lx = rk_number(s, "enough_lx", 500.0),
        .prelight_min = rk_number(s, "prelight_min", 3.0),
        .prelight_level = rk_number(s, "prelight_level", 30.0),
        .hold_s = rk_number(s, "hold_s", 120.0),
        .still_min = rk_number(s, "still_min", 90.0),
        .still_co2 = rk_number(s, "still_co2", 600.0),
        .fade_s = rk_number(s, "fade_s", 6.0),
        .cleaning_from = rk_number(s, "cleaning_from", 0.0),
        .cleaning_to = rk_number(s, "cleaning_to", 0.0),
        .lease_s = rk_number(s, "lease_s", 180.0),
    };
}

static memory memory_of(const rk_json *input) {
    const rk_json *kept = rk_parse(rk_text(input, "state", rk_lit("{}")));
    memory m = {
        .seen = rk_number(kept, "seen", RK_UNKNOWN),
        .share = rk_between(rk_number(kept, "share", 1.0), 0.0, 1.0),
        .share_at = rk_number(kept, "share_at", RK_UNKNOWN),
        .lux = rk_number(kept, "lux", RK_UNKNOWN),
        .air = rk_number(kept, "air", RK_UNKNOWN),
        .slow = rk_number(kept, "slow", RK_UNKNOWN),
        .read_at = rk_number(kept, "read_at", RK_UNKNOWN),
        .empty = rk_number(kept, "empty", 0.0) > 0.0,
    };
    const rk_json *l = rk_first(rk_get(kept, "lamps"));
    for (; l != NULL && m.count < LAMPS; l = l->next) {
        if (l->kind != RK_LIST || l->child == NULL || l->child->next == NULL) continue;
        double level = rk_between(l->child->number, 0.0, 100.0);
        m.lamps[m.count++] = (lamp){l->key, level, l->child->next->number};
    }
    return m;
}

static lamp *lamp_of(memory *m, rk_str name) {
    for (int i = 0; i < m->count; i++)
        if (rk_equal(m->lamps[i].name, name)) return &m->lamps[i];
    if (m->count == LAMPS) return NULL;
    m->lamps[m->count] = (lamp){name, 0.0, RK_UNKNOWN};
    return &m->lamps[m->count++];
}

/* One step towards the goal. Out of the dark it is at once: nobody waits at the door. */
static double faded(const lamp *l, double goal, double now, const settings *s) {
    double passed = now - l->at;
    double left = goal - l->level;
    if (s->fade_s <= 0.0 || passed < 0.0 || (l->level < s->lowest && left > 0.0)) return goal;
    if (left == 0.0 || passed < FADE_STEP_S) return l->level;
    double most = 100.0 / s->fade_s * (passed > FADE_IDLE_S ? FADE_STEP_S : passed);
    return rk_round(l->level + rk_between(left, -most, most));
}

static double goal_of(const rk_json *event, double wanted, use used, const settings *s,
                      const memory *m) {
    if (used == UNUSED) return 0.0;
    if (used == SOON) return wanted < s->prelight_level ? wanted : s->prelight_level;
    double floor = wanted < s->lowest ? wanted : s->lowest;
    /* A scene may darken a lamp, but none goes out over people. */
    if (floor < 1.0 && rk_here(event)) floor = 1.0;
    double level = rk_round(s->enough_lx > 0.0 ? wanted * m->share : wanted);
    return level < floor ? floor : level;
}

/* The first lamp of an event leads: its light is what the sensor is held to. */
static void answer_lamp(rk_answer *answer, const rk_json *event, rk_str name, double now,
                        const settings *s, memory *m, bool leads) {
    rk_out why = {0};
    use used = in_use(event, now, s, m, &why);
    if (used == UNUSED) m->empty = true;
    double wanted = wanted_of(event, name, s, &why);
    lamp *l = lamp_of(m, name);
    if (l == NULL) return;
    if (leads && used != UNUSED && l->level <= 0.0) begin_daylight(wanted, now, s, m);
    if (used == USED && s->enough_lx > 0.0) {
        if (leads) follow_daylight(wanted, now, s, m);
        if (m->share < 1.0) rk_put_rest(&why, ", measured ", m->lux, 0, " lx");
    }
    double level = faded(l, goal_of(event, wanted, used, s, m), now, s);
    if (level != l->level) *l = (lamp){l->name, level, now};
    rk_command(answer, rk_id(event), name, level, s->lease_s, (rk_str){why.at, why.len});
}

/* The lamps of the settings, then those only the intent names. */
static void answer_event(rk_answer *answer, const rk_json *event, double now, const settings *s,
                         memory *m) {
    if (rk_here(event)) m->seen = now, m->empty = false;
    breathe(event, now, m);
    int before = answer->commands;
    rk_str rest = s->lamps;
    for (rk_str name = rk_word(&rest); name.len > 0; name = rk_word(&rest))
        answer_lamp(answer, event, name, now, s, m, answer->commands == before);
    const rk_json *t = rk_first(rk_get(event, "targets"));
    for (; t != NULL; t = t->next) {
        bool known = !rk_starts(t->key, "light.") || t->kind != RK_NUMBER;
        rest = s->lamps;
        for (rk_str name = rk_word(&rest); name.len > 0; name = rk_word(&rest))
            known = known || rk_equal(name, t->key);
        if (!known) answer_lamp(answer, event, t->key, now, s, m, answer->commands == before);
    }
}

static void keep(rk_out *state, const memory *m) {
    rk_keep(state, "seen", m->seen);
    rk_keep(state, "share", m->share);
    rk_keep(state, "share_at", m->share_at);
    rk_keep(state, "lux", m->lux);
    rk_keep(state, "air", m->air);
    rk_keep(state, "slow", m->slow);
    rk_keep(state, "read_at", m->read_at);
    rk_keep(state, "empty", m->empty ? 1.0 : 0.0);
    rk_put(state, ",\"lamps\":{");
    for (int i = 0; i < m->count; i++) {
        if (i > 0) rk_put(state, ",");
        rk_put_quoted(state, m->lamps[i].name);
        rk_put_rest(state, ":[", m->lamps[i].level, 0, ",");
        rk_put_number(state, m->lamps[i].at, 3);
        rk_put(state, "]");
    }
    rk_put(state, "}}");
}

void rk_handle(const rk_json *input, rk_answer *answer, rk_out *state) {
    static settings s;
    if (!rk_settings_again()) s = settings_of(input);
    memory m = memory_of(input);
    double now = rk_number(input, "now", 0.0);
    for (const rk_json *event = rk_events(input); event != NULL; event = event->next)
        answer_event(answer, event, now, &s, &m);
    keep(state, &m);
}
