/* What most plugins ask of an event: the list of them, who is here, what is wanted of which part. */
#include "roomkeeper.h"

const rk_json *rk_events(const rk_json *input) {
    const rk_json *events = rk_get(input, "events");
    return events != NULL && events->kind == RK_LIST ? events->child : NULL;
}

rk_str rk_id(const rk_json *event) { return rk_text(event, "id", rk_lit("")); }

bool rk_here(const rk_json *event) { return rk_flag(event, "occupied", false); }

bool rk_meeting(const rk_json *event, const char *phase) {
    return rk_equal(rk_text(event, "meeting", rk_lit("none")), rk_lit(phase));
}

double rk_reading(const rk_json *event, const char *quantity) {
    return rk_number(rk_get(event, "readings"), quantity, RK_UNKNOWN);
}

bool rk_known(double number) { return number > RK_UNKNOWN / 2.0; }

const rk_json *rk_first(const rk_json *object) {
    return object != NULL && object->kind == RK_OBJECT ? object->child : NULL;
}

double rk_between(double number, double low, double high) {
    return number < low ? low : number > high ? high : number;
}

double rk_round(double number) {
    return number < 0.0 ? -(double)(int64_t)(0.5 - number) : (double)(int64_t)(number + 0.5);
}

double rk_smooth(double old, double new_one, double seconds, double tau) {
    if (!rk_known(old) || seconds < 0.0) return new_one;
    return old + (new_one - old) * seconds / (tau + seconds);
}

rk_str rk_word(rk_str *text) {
    while (text->len > 0 && *text->at == ' ') text->at++, text->len--;
    rk_str word = {text->at, 0};
    while (word.len < text->len && word.at[word.len] != ' ') word.len++;
    text->at += word.len;
    text->len -= word.len;
    return word;
}

bool rk_holds(rk_str text, const char *part) {
    for (; text.len > 0; text.at++, text.len--)
        if (rk_starts(text, part)) return true;
    return false;
}

void rk_put_rest(rk_out *out, const char *text, double number, int decimals, const char *unit) {
    rk_put(out, text);
    rk_put_number(out, number, decimals);
    rk_put(out, unit);
}

void rk_keep(rk_out *state, const char *name, double number) {
    if (!rk_known(number)) return;
    rk_put(state, state->len == 0 ? "{\"" : ",\"");
    rk_put(state, name);
    rk_put(state, "\":");
    rk_put_number(state, number, 3);
}
