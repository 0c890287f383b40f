/* NAME: the light is on while people are here and for a while after they left. */
#include "roomkeeper.h"

const char rk_describe[] = "{\"id\":\"NAME\",\"schema\":1}";

void rk_handle(const rk_json *input, rk_answer *answer, rk_out *state) {
    const rk_json *settings = rk_get(input, "settings");
    double level = rk_number(settings, "level", 70.0);
    double hold = rk_number(settings, "hold_s", 60.0);
    rk_str actuator = rk_text(settings, "actuator", rk_lit("light.main"));
    double now = rk_number(input, "now", 0.0);
    /* What is to be remembered comes back as the text that went out last time. */
    const rk_json *kept = rk_parse(rk_text(input, "state", rk_lit("")));
    double seen = kept != NULL && kept->kind == RK_NUMBER ? kept->number : -1e9;

    const rk_json *events = rk_get(input, "events");
    const rk_json *event = events != NULL ? events->child : NULL;
    for (; event != NULL; event = event->next) {
        bool here = rk_flag(event, "occupied", false);
        if (here) seen = now;
        double gone = now - seen;
        bool on = here || (gone >= 0.0 && gone < hold);
        /* Every event is answered: who hears of people arriving must say what that means. */
        rk_command(answer, rk_text(event, "id", rk_lit("")), actuator, on ? level : 0.0, 60.0,
                   rk_lit(here ? "people are here" : on ? "held" : "nobody here"));
    }
    rk_put_number(state, seen, 0);
}
