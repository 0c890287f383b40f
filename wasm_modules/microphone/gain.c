/* Gain: small steps towards well-heard speech, down at once when it clips, less of mere noise. */
#include "microphone.h"

#define SPOKEN 0.6
#define SILENT 0.3
#define TAU_S 20.0
#define CLIP_STEP 6.0
#define CLIP_REST_S 2.0
/* The lowered gain lowers the noise it measures too: that is not silence yet (dB). */
#define QUIETER_DB 20.0
/* How long a clip is remembered, and how fast it is forgiven then. */
#define CEILING_S 300.0
#define FORGIVEN_PER_S (1.0 / 60.0)

static double highest(double now, const settings *s, const memory *m) {
    if (!rk_known(m->ceiling) || now < m->clipped_at) return s->highest;
    double late = now - m->clipped_at - CEILING_S;
    return rk_between(m->ceiling + (late > 0.0 ? late * FORGIVEN_PER_S : 0.0), s->lowest, s->highest);
}

static bool clips(const rk_json *event, double now, const settings *s, memory *m) {
    if (rk_number(event, "clipped", 0.0) < s->clipped) return false;
    if (now - m->clipped_at < CLIP_REST_S && now >= m->clipped_at) return true;
    m->level = rk_between(m->level - CLIP_STEP, s->lowest, s->highest);
    m->ceiling = m->level;
    m->clipped_at = m->moved = now;
    m->speech = RK_UNKNOWN;
    return true;
}

static void hear(double sound, double voice, double now, const settings *s, memory *m) {
    double noise = m->gated ? s->noise_db - QUIETER_DB : s->noise_db;
    if (voice >= SPOKEN) {
        /* The first word after noise was measured with the lowered gain. */
        if (m->gated) m->moved = now;
        else m->speech = rk_smooth(m->speech, sound, now - m->speech_at, TAU_S);
        m->speech_at = now;
        m->noise_at = RK_UNKNOWN;
    } else if (voice >= SILENT || sound < noise) {
        m->noise_at = RK_UNKNOWN;
    } else if (!rk_known(m->noise_at)) {
        m->noise_at = now;
    }
    m->gated = rk_known(m->noise_at) && now - m->noise_at >= s->gate_s;
}

static void follow(double now, const settings *s, memory *m) {
    double off = s->speech_db - m->speech;
    bool waited = now - m->moved >= s->every_s || now < m->moved;
    if (waited && (off > s->band_db || off < -s->band_db)) {
        m->level += off > 0.0 ? s->step : -s->step;
        m->moved = now;
    }
    m->level = rk_round(rk_between(m->level, s->lowest, highest(now, s, m)));
}

double gain_for(const rk_json *event, double now, bool muted, const settings *s, memory *m,
                rk_out *why) {
    double sound = rk_number(event, "sound_db", RK_UNKNOWN);
    double voice = rk_number(event, "voice", 0.0);
    if (muted || !rk_known(sound)) {
        rk_put(why, muted ? "muted" : "nothing is measured");
        m->noise_at = RK_UNKNOWN;
        m->gated = false;
        return m->level;
    }
    hear(sound, voice, now, s, m);
    if (clips(event, now, s, m)) {
        rk_put(why, "it clips");
        return m->level;
    }
    if (voice >= SPOKEN) follow(now, s, m);
    if (rk_known(m->speech)) rk_put_rest(why, "speech at ", m->speech, 0, " dB");
    else rk_put(why, "no speech yet");
    if (!m->gated) return m->level;
    rk_put_rest(why, ", only noise at ", sound, 0, " dB");
    return rk_between(m->level - s->gate_drop, s->lowest, s->highest);
}
