/* Camera: a closed shutter unless a meeting runs and people agree; the picture fits who is there. */
#include "roomkeeper.h"

const char rk_describe[] = "{\"id\":\"camera\",\"schema\":1}";

#define REST_S 30.0
/* Longest name of a view (bytes). */
#define NAME 64

typedef struct {
    rk_str preset, shutter, names[3];
    double group, early_min, close_s, wider_s, closer_s, lease_s;
} settings;

/* From close to wide: an index into settings.names. */
enum { SPEAKER, GROUP, WIDE };

/* open: whether the shutter is, used: when it last had to be; view: the picture, since moved;
 * wish: another one that is wanted since wished. */
typedef struct {
    double used, moved, wished;
    int view, wish;
    bool open;
} memory;

static settings settings_of(const rk_json *input) {
    const rk_json *s = rk_get(input, "settings");
    return (settings){
        .preset = rk_text(s, "preset", rk_lit("camera.preset")),
        .shutter = rk_text(s, "shutter", rk_lit("camera.shutter")),
        .names = {rk_text(s, "speaker_view", rk_lit("presenter")),
                  rk_text(s, "group_view", rk_lit("table")),
                  rk_text(s, "wide_view", rk_lit("home"))},
        .group = rk_number(s, "group_people", 4.0),
        .early_min = rk_number(s, "early_min", 1.0),
        .close_s = rk_number(s, "close_s", 15.0),
        .wider_s = rk_number(s, "wider_s", 5.0),
        .closer_s = rk_number(s, "closer_s", 60.0),
        .lease_s = rk_number(s, "lease_s", 300.0),
    };
}

static int view_in(double number) { return number <= 0.5 ? SPEAKER : number <= 1.5 ? GROUP : WIDE; }

static memory memory_of(const rk_json *input) {
    const rk_json *kept = rk_parse(rk_text(input, "state", rk_lit("{}")));
    return (memory){
        .used = rk_number(kept, "used", RK_UNKNOWN),
        .moved = rk_number(kept, "moved", RK_UNKNOWN),
        .wished = rk_number(kept, "wished", RK_UNKNOWN),
        .view = view_in(rk_number(kept, "view", WIDE)),
        .wish = view_in(rk_number(kept, "wish", WIDE)),
        .open = rk_number(kept, "open", 0.0) > 0.0,
    };
}

static bool meets(const rk_json *event, const settings *s) {
    double next = rk_number(event, "minutes_to_next", -1.0);
    if (rk_meeting(event, "active")) return true;
    if (!rk_meeting(event, "pending")) return false;
    return rk_flag(event, "started", false) || (next >= 0.0 && next <= s->early_min);
}

/* Whoever says no is heard at once; the end of a meeting may be a slip and waits a little. */
static bool is_open(const rk_json *event, double now, const settings *s, memory *m, rk_out *why) {
    rk_str wish = rk_text(rk_get(event, "targets"), "camera.shutter", rk_lit(""));
    if (rk_equal(rk_text(event, "consent", rk_lit("all")), rk_lit("off"))) {
        rk_put(why, "no consent");
        m->used = RK_UNKNOWN;
        return false;
    }
    if (rk_equal(wish, rk_lit("closed"))) {
        rk_put(why, "the intent wants it closed");
        m->used = RK_UNKNOWN;
        return false;
    }
    rk_put_people(why, event);
    if (meets(event, s)) {
        m->used = now;
        rk_put(why, rk_meeting(event, "active") ? ", meeting runs" : ", meeting begins");
        return true;
    }
    rk_put(why, ", no meeting");
    return m->open && now >= m->used && now - m->used < s->close_s;
}

static int view_for(const rk_json *event, const settings *s, const memory *m) {
    double count = rk_number(event, "count", 0.0);
    rk_str intent = rk_text(event, "intent", rk_lit(""));
    if (!m->open) return WIDE;
    if (rk_holds(intent, "presentation") || rk_holds(intent, "demo")) return SPEAKER;
    /* Nobody in view may be somebody out of view: show more, not less. */
    if (!rk_flag(event, "counted", false) || count < 1.0) return m->view;
    return count <= s->group ? GROUP : WIDE;
}

static void turn(const rk_json *event, double now, const settings *s, memory *m) {
    int wish = view_for(event, s, m);
    if (wish != m->wish || now < m->wished) m->wish = wish, m->wished = now;
    if (wish == m->view) return;
    double patience = wish > m->view ? s->wider_s : s->closer_s;
    bool rested = now - m->moved >= REST_S || now < m->moved;
    if (m->open && (now - m->wished < patience || !rested)) return;
    m->view = wish;
    m->moved = now;
}

static void answer_event(rk_answer *answer, const rk_json *event, double now, const settings *s,
                         memory *m) {
    rk_out why = {0};
    bool was_open = m->open;
    m->open = is_open(event, now, s, m, &why);
    /* A picture that nobody sees yet may change at once. */
    if (m->open && !was_open) m->view = m->wish = view_for(event, s, m), m->moved = now;
    turn(event, now, s, m);
    rk_str said = {why.at, why.len};
    if (s->shutter.len > 0)
        rk_command_text(answer, rk_id(event), s->shutter, rk_lit(m->open ? "open" : "closed"),
                        s->lease_s, said);
    if (s->preset.len == 0) return;
    rk_str view = s->names[m->view];
    for (const rk_json *t = rk_first(rk_get(event, "targets")); t != NULL && m->open; t = t->next)
        if (t->kind == RK_TEXT && t->text.len <= NAME && rk_equal(t->key, s->preset)) view = t->text;
    rk_command_text(answer, rk_id(event), s->preset, view, s->lease_s, said);
}

void rk_handle(const rk_json *input, rk_answer *answer, rk_out *state) {
    settings s = settings_of(input);
    memory m = memory_of(input);
    double now = rk_number(input, "now", 0.0);
    for (const rk_json *event = rk_events(input); event != NULL; event = event->next)
        answer_event(answer, event, now, &s, &m);
    rk_keep(state, "open", m.open ? 1.0 : 0.0);
    rk_keep(state, "used", m.used);
    rk_keep(state, "view", m.view);
    rk_keep(state, "moved", m.moved);
    rk_keep(state, "wish", m.wish);
    rk_keep(state, "wished", m.wished);
    rk_put(state, "}");
}
