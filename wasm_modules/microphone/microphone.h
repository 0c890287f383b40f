/* Microphone: what is set, what is remembered. Percent, dBFS, seconds. */
#ifndef MICROPHONE_H
#define MICROPHONE_H

#include "roomkeeper.h"

/* A device has done and said what it was asked to by then. */
#define SETTLE_S 5.0

typedef struct {
    rk_str gain, mute;
    double speech_db, band_db, lowest, highest, start, step, every_s, clipped, noise_db, gate_s;
    double gate_drop, lease_s;
    bool counts_mute;
} settings;

/* level: the gain, since moved; speech: how loud people speak, last heard at speech_at; noise_at:
 * since when there was noise and no speech, gated: for long enough; ceiling: the gain after it last clipped, at clipped_at;
 * opened_at: since when it is asked to be open, heard_open: and said so; by_hand: muted since. */
typedef struct {
    double level, moved, speech, speech_at, noise_at, ceiling, clipped_at, opened_at;
    bool gated, heard_open, by_hand;
} memory;

/* gain.c */
double gain_for(const rk_json *event, double now, bool muted, const settings *s, memory *m,
                rk_out *why);

#endif
