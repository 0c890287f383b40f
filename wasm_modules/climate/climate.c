/* Climate: comfort while the room is used or soon will be, set back otherwise. Degrees Celsius. */
#include "roomkeeper.h"

const char rk_describe[] = "{\"id\":\"climate\",\"schema\":1}";

typedef struct {
    rk_str actuator;
    double comfort, setback, preheat_min, lease_s;
} settings;

static settings settings_of(const rk_json *input) {
    const rk_json *s = rk_get(input, "settings");
    return (settings){
        .actuator = rk_text(s, "actuator", rk_lit("climate.setpoint")),
        .comfort = rk_number(s, "comfort", 21.5),
        .setback = rk_number(s, "setback", 18.0),
        .preheat_min = rk_number(s, "preheat_min", 20.0),
        .lease_s = rk_number(s, "lease_s", 600.0),
    };
}

/* The set point, with its reason appended to `why`. */
static double setpoint_for(const rk_json *event, double comfort, const settings *s, rk_out *why) {
    double next = rk_number(event, "minutes_to_next", -1.0);
    double measured = rk_number(rk_get(event, "readings"), "temperature", -300.0);
    bool here = rk_flag(event, "occupied", false);
    bool runs = rk_equal(rk_text(event, "meeting", rk_lit("none")), rk_lit("active"));
    bool soon = next >= 0.0 && next <= s->preheat_min;
    rk_put_people(why, event);
    if (!here && runs) rk_put(why, ", meeting runs");
    if (!here && !runs && soon) {
        rk_put(why, ", meeting in ");
        rk_put_number(why, next, 0);
        rk_put(why, " min");
    }
    if (!here && !runs && !soon) rk_put(why, ", set back");
    if (measured > -100.0) {
        rk_put(why, ", measured ");
        rk_put_number(why, measured, 1);
        rk_put(why, " \xC2\xB0" "C");
    }
    return here || runs || soon ? comfort : s->setback;
}

static void answer_one(rk_answer *answer, const rk_json *event, rk_str actuator, double comfort,
                       const settings *s) {
    rk_out why = {0};
    double value = setpoint_for(event, comfort, s, &why);
    rk_command(answer, rk_text(event, "id", rk_lit("")), actuator, value, s->lease_s,
               (rk_str){why.at, why.len});
}

void rk_handle(const rk_json *input, rk_answer *answer, rk_out *state) {
    (void)state;
    settings s = settings_of(input);
    const rk_json *events = rk_get(input, "events");
    const rk_json *event = events != NULL && events->kind == RK_LIST ? events->child : NULL;
    for (; event != NULL; event = event->next) {
        const rk_json *targets = rk_get(event, "targets");
        const rk_json *t = targets != NULL && targets->kind == RK_OBJECT ? targets->child : NULL;
        bool named = false;
        for (; t != NULL; t = t->next) {
            if (!rk_starts(t->key, "climate.") || t->kind != RK_NUMBER) continue;
            answer_one(answer, event, t->key, t->number, &s);
            named = true;
        }
        if (!named) answer_one(answer, event, s.actuator, s.comfort, &s);
    }
}
