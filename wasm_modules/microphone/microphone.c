/* Microphone: muted unless a meeting runs and people agree; gain follows speech, slowly. Percent. */
#include "microphone.h"

const char rk_describe[] = "{\"id\":\"microphone\",\"schema\":1}";

static settings settings_of(const rk_json *input) {
    const rk_json *s = rk_get(input, "settings");
    settings made = {
        .gain = rk_text(s, "gain", rk_lit("microphone.gain")),
        .mute = rk_text(s, "mute", rk_lit("microphone.mute")),
        .speech_db = rk_number(s, "speech_db", -26.0),
        .band_db = rk_number(s, "band_db", 5.0),
        .lowest = rk_number(s, "lowest", 30.0),
        .highest = rk_number(s, "highest", 85.0),
        .start = rk_number(s, "start", 60.0),
        .step = rk_number(s, "step", 2.0),
        .every_s = rk_number(s, "every_s", 10.0),
        .clipped = rk_number(s, "clipped", 0.001),
        .noise_db = rk_number(s, "noise_db", -45.0),
        .gate_s = rk_number(s, "gate_s", 60.0),
        .gate_drop = rk_number(s, "gate_drop", 15.0),
        .lease_s = rk_number(s, "lease_s", 300.0),
        .counts_mute = rk_flag(s, "counts_mute", true),
    };
    if (made.highest < made.lowest) made.highest = made.lowest;
    return made;
}

static memory memory_of(const rk_json *input, const settings *s) {
    const rk_json *kept = rk_parse(rk_text(input, "state", rk_lit("{}")));
    return (memory){
        .level = rk_between(rk_number(kept, "level", s->start), s->lowest, s->highest),
        .moved = rk_number(kept, "moved", RK_UNKNOWN),
        .speech = rk_number(kept, "speech", RK_UNKNOWN),
        .speech_at = rk_number(kept, "speech_at", RK_UNKNOWN),
        .noise_at = rk_number(kept, "noise_at", RK_UNKNOWN),
        .ceiling = rk_number(kept, "ceiling", RK_UNKNOWN),
        .clipped_at = rk_number(kept, "clipped_at", RK_UNKNOWN),
        .opened_at = rk_number(kept, "opened_at", RK_UNKNOWN),
        .gated = rk_number(kept, "gated", 0.0) > 0.0,
        .heard_open = rk_number(kept, "heard_open", 0.0) > 0.0,
        .by_hand = rk_number(kept, "by_hand", 0.0) > 0.0,
    };
}

/* Somebody pressed the button on the microphone: it was open as asked, and is not any more. */
static void notice_hand(const rk_json *event, double now, const settings *s, memory *m) {
    const rk_json *reported = rk_get(event, "reported");
    rk_str said = rk_lit("");
    for (const rk_json *r = rk_first(reported); r != NULL; r = r->next)
        if (r->kind == RK_TEXT && rk_equal(r->key, s->mute)) said = r->text;
    if (rk_equal(said, rk_lit("off"))) {
        m->by_hand = false;
        m->heard_open = rk_known(m->opened_at);
    } else if (rk_equal(said, rk_lit("on")) && m->heard_open && now - m->opened_at >= SETTLE_S) {
        m->by_hand = true;
    }
}

static bool is_muted(const rk_json *event, double now, const settings *s, memory *m, rk_out *why) {
    rk_str consent = rk_text(event, "consent", rk_lit("all"));
    bool agreed = rk_equal(consent, rk_lit("all")) ||
                  (rk_equal(consent, rk_lit("counts")) && !s->counts_mute);
    if (!agreed || !rk_meeting(event, "active")) {
        rk_put(why, agreed ? "no meeting" : "no consent");
        m->opened_at = RK_UNKNOWN;
        m->heard_open = m->by_hand = false;
        return true;
    }
    if (!rk_known(m->opened_at)) m->opened_at = now;
    notice_hand(event, now, s, m);
    rk_put_people(why, event);
    rk_put(why, m->by_hand ? ", muted by hand" : ", meeting runs");
    return m->by_hand;
}

static void answer_event(rk_answer *answer, const rk_json *event, double now, const settings *s,
                         memory *m) {
    rk_out why = {0};
    bool muted = is_muted(event, now, s, m, &why);
    if (s->mute.len > 0)
        rk_command_text(answer, rk_id(event), s->mute, rk_lit(muted ? "on" : "off"), s->lease_s,
                        (rk_str){why.at, why.len});
    if (s->gain.len == 0) return;
    rk_out heard = {0};
    double level = gain_for(event, now, muted, s, m, &heard);
    rk_command(answer, rk_id(event), s->gain, level, s->lease_s, (rk_str){heard.at, heard.len});
}

void rk_handle(const rk_json *input, rk_answer *answer, rk_out *state) {
    settings s = settings_of(input);
    memory m = memory_of(input, &s);
    double now = rk_number(input, "now", 0.0);
    for (const rk_json *event = rk_events(input); event != NULL; event = event->next)
        answer_event(answer, event, now, &s, &m);
    rk_keep(state, "level", m.level);
    rk_keep(state, "moved", m.moved);
    rk_keep(state, "speech", m.speech);
    rk_keep(state, "speech_at", m.speech_at);
    rk_keep(state, "noise_at", m.noise_at);
    rk_keep(state, "ceiling", m.ceiling);
    rk_keep(state, "clipped_at", m.clipped_at);
    rk_keep(state, "opened_at", m.opened_at);
    rk_keep(state, "gated", m.gated ? 1.0 : 0.0);
    rk_keep(state, "heard_open", m.heard_open ? 1.0 : 0.0);
    rk_keep(state, "by_hand", m.by_hand ? 1.0 : 0.0);
    rk_put(state, "}");
}
