/* Scenes: named levels of several lamps, "main=30 front=0", chosen by the intent or the hour. */
#include "lights.h"

static const char *const names[4] = {"presentation", "video", "discussion", "cleaning"};

static bool cleaned_now(const rk_json *event, const settings *s) {
    double hour = rk_number(event, "local_hour", -1.0);
    if (hour < 0.0 || s->cleaning_from == s->cleaning_to || !rk_meeting(event, "none")) return false;
    if (s->cleaning_from < s->cleaning_to) return hour >= s->cleaning_from && hour < s->cleaning_to;
    return hour >= s->cleaning_from || hour < s->cleaning_to;
}

static int scene_of(const rk_json *event, const settings *s) {
    rk_str intent = rk_text(event, "intent", rk_lit(""));
    for (int i = 0; i < 4; i++)
        if (rk_holds(intent, names[i])) return i;
    return cleaned_now(event, s) ? 3 : -1;
}

/* What follows "light." in the lamp's name is its name in a scene. */
static rk_str short_name(rk_str name) {
    rk_str prefix = rk_lit("light.");
    if (rk_starts(name, "light.")) name.at += prefix.len, name.len -= prefix.len;
    return name;
}

static double level_in(rk_str scene, rk_str name) {
    for (rk_str word = rk_word(&scene); word.len > 0; word = rk_word(&scene)) {
        if (word.len <= name.len + 1 || word.at[name.len] != '=') continue;
        if (!rk_equal((rk_str){word.at, name.len}, name)) continue;
        rk_json *level = rk_parse((rk_str){word.at + name.len + 1, word.len - name.len - 1});
        if (level != NULL && level->kind == RK_NUMBER) return rk_between(level->number, 0.0, 100.0);
    }
    return RK_UNKNOWN;
}

double wanted_of(const rk_json *event, rk_str lamp, const settings *s, rk_out *why) {
    for (const rk_json *t = rk_first(rk_get(event, "targets")); t != NULL; t = t->next)
        if (t->kind == RK_NUMBER && rk_equal(t->key, lamp))
            return rk_between(t->number, 0.0, 100.0);
    int scene = scene_of(event, s);
    if (scene < 0) return s->level;
    double level = level_in(s->scenes[scene], short_name(lamp));
    if (!rk_known(level)) return s->level;
    rk_put(why, ", scene ");
    rk_put(why, names[scene]);
    return level;
}
